import { BusError } from "./errors.ts";

/**
 * Maximum nesting depth of arrays and objects in one value. Legitimate data is never deeper, and many JSON readers stop
 * near here (PHP at 512, SQLite's JSON functions and Python at 1,000), so a publisher could break its subscribers with
 * deeper data.
 */
export const MAX_JSON_DEPTH = 512;

const TAB = 0x09;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const PLUS = 0x2b;
const COMMA = 0x2c;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const UPPER_A = 0x41;
const UPPER_E = 0x45;
const UPPER_F = 0x46;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const LOWER_A = 0x61;
const LOWER_E = 0x65;
const LOWER_F = 0x66;
const LOWER_U = 0x75;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** In ASCII each closer stands two after its opener: `[` `]` and `{` `}`. */
const OPENER_TO_CLOSER = 2;

/** The closers of the open arrays and objects. One for all calls: a scan neither yields nor calls back. */
const closers = new Uint8Array(MAX_JSON_DEPTH);

/**
 * Finds the end of the JSON value (RFC 8259) that begins at `start`, white space before it allowed, and checks all of
 * it. Accepts what `JSON.parse` accepts; an escaped lone surrogate such as `"\ud800"` is valid JSON.
 *
 * Returns the offset after the value, in UTF-16 code units like every offset here; the caller handles what follows.
 *
 * @throws BusError `json_invalid`. Its `position` is the offset of the first unit at which the text can no longer be
 * JSON, or the length of the text if it ends too early. With `limit` if the value nests deeper than 512.
 */
// One loop with its own stack, longer than a function here should be: it is the hottest code of a publish, and a
// function calling itself would let a body of brackets overflow the stack.
export function scanJson(text: string, start: number): number {
  let at = start;
  let depth = 0;
  for (;;) {
    let code = text.charCodeAt(at);
    if (code <= SPACE) {
      at = skipSpace(text, at);
      code = text.charCodeAt(at);
    }
    if (code === QUOTE) {
      at = scanString(text, at);
    } else if (code === OPEN_BRACE || code === OPEN_BRACKET) {
      if (depth === MAX_JSON_DEPTH) throw tooDeep(at);
      const closer = code + OPENER_TO_CLOSER;
      at = skipSpace(text, at + 1);
      if (text.charCodeAt(at) !== closer) {
        closers[depth++] = closer;
        if (closer === CLOSE_BRACE) at = scanColon(text, scanName(text, at));
        continue;
      }
      at++;
    } else {
      at = scanNumberOrLiteral(text, at, code);
    }
    for (;;) {
      if (depth === 0) return at;
      code = text.charCodeAt(at);
      if (code <= SPACE) {
        at = skipSpace(text, at);
        code = text.charCodeAt(at);
      }
      const closer = closers[depth - 1];
      if (code === closer) {
        at++;
        depth--;
        continue;
      }
      if (code !== COMMA) throw unexpected(text, at, closer === CLOSE_BRACE ? "a comma or }" : "a comma or ]");
      at++;
      if (closer === CLOSE_BRACE) at = scanColon(text, scanName(text, skipSpace(text, at)));
      break;
    }
  }
}

/** The offset of the first character from `at` on that is not JSON white space. */
export function skipSpace(text: string, at: number): number {
  let end = at;
  while (isSpace(text.charCodeAt(end))) end++;
  return end;
}

/** Whether a UTF-16 code unit is JSON white space: a space, a tab, a line feed or a carriage return. */
export function isSpace(code: number): boolean {
  return code <= SPACE && (code === SPACE || code === LINE_FEED || code === CARRIAGE_RETURN || code === TAB);
}

/**
 * Checks the name of an object's member, a JSON string that begins at `start`; returns the offset after its quotes.
 *
 * @throws BusError `json_invalid` with `position` as {@link scanJson} does.
 */
export function scanName(text: string, start: number): number {
  if (text.charCodeAt(start) !== QUOTE) throw unexpected(text, start, "a member name in double quotes");
  return scanString(text, start);
}

/**
 * Checks for the colon after a member's name, white space before it allowed; returns the offset after the colon.
 *
 * @throws BusError `json_invalid` with `position` as {@link scanJson} does.
 */
export function scanColon(text: string, at: number): number {
  const colon = skipSpace(text, at);
  if (text.charCodeAt(colon) !== COLON) throw unexpected(text, colon, "a colon");
  return colon + 1;
}

/** Checks the string whose opening quote is at `start`. */
function scanString(text: string, start: number): number {
  let at = start + 1;
  let stepEnd = at + STEPPED_UNITS;
  for (;;) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return at + 1;
    if (code === BACKSLASH) at = scanEscape(text, at + 1);
    else if (code >= SPACE) at++;
    else throw brokenString(text, at);
    if (at >= stepEnd) {
      at = skipPlainUnits(text, at);
      stepEnd = at + STEPPED_UNITS;
    }
  }
}

/** Units of a string that are examined one by one. A call of the regular expression costs as much as about thirty. */
const STEPPED_UNITS = 32;

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what a string must not hold
const endOfPlainUnits = /["\\\x00-\x1f]/g;

/** The offset of the next quote, backslash or control character. Much faster than stepping in a long string. */
function skipPlainUnits(text: string, at: number): number {
  endOfPlainUnits.lastIndex = at;
  return endOfPlainUnits.test(text) ? endOfPlainUnits.lastIndex - 1 : text.length;
}

/** `at` is the offset after the backslash. */
function scanEscape(text: string, at: number): number {
  if (at >= text.length) throw brokenString(text, at);
  if (text.charCodeAt(at) !== LOWER_U) {
    if (!'"\\/bfnrt'.includes(text.charAt(at))) throw unexpected(text, at, 'one of "\\/bfnrtu after a backslash');
    return at + 1;
  }
  for (let digit = at + 1; digit <= at + 4; digit++) {
    if (!isHexDigit(text.charCodeAt(digit))) throw unexpected(text, digit, "a hexadecimal digit after \\u");
  }
  return at + 5;
}

function isHexDigit(code: number): boolean {
  return (code >= ZERO && code <= NINE) || (code >= LOWER_A && code <= LOWER_F) || (code >= UPPER_A && code <= UPPER_F);
}

function scanNumberOrLiteral(text: string, at: number, code: number): number {
  if (code === MINUS || (code >= ZERO && code <= NINE)) return scanNumber(text, at);
  for (const literal of LITERALS) {
    if (literal.charCodeAt(0) === code) return scanLiteral(text, at, literal);
  }
  throw unexpected(text, at, "a value");
}

const LITERALS = ["true", "false", "null"] as const;

function scanLiteral(text: string, start: number, literal: string): number {
  if (text.startsWith(literal, start)) return start + literal.length;
  let same = 1;
  while (text.charCodeAt(start + same) === literal.charCodeAt(same)) same++;
  throw unexpected(text, start + same, `the literal ${literal}`);
}

function scanNumber(text: string, start: number): number {
  let at = text.charCodeAt(start) === MINUS ? start + 1 : start;
  at = text.charCodeAt(at) === ZERO ? at + 1 : scanDigits(text, at);
  if (text.charCodeAt(at) === DOT) at = scanDigits(text, at + 1);
  let code = text.charCodeAt(at);
  if (code !== LOWER_E && code !== UPPER_E) return at;
  code = text.charCodeAt(++at);
  return scanDigits(text, code === PLUS || code === MINUS ? at + 1 : at);
}

function scanDigits(text: string, start: number): number {
  let at = start;
  let code = text.charCodeAt(at);
  while (code >= ZERO && code <= NINE) code = text.charCodeAt(++at);
  if (at === start) throw unexpected(text, at, "a digit");
  return at;
}

/** The error for a text that is not JSON from `at` on; names the kind of character found there, never the text. */
export function unexpected(text: string, at: number, expected: string): BusError {
  if (at >= text.length) return invalid(`the text ends where ${expected} was expected`, text.length);
  return invalid(`expected ${expected} at position ${at}, found ${describe(text.charAt(at))}`, at);
}

function brokenString(text: string, at: number): BusError {
  if (at >= text.length) return invalid("the text ends inside a string", text.length);
  return invalid(`a control character inside a string must be escaped, such as the one at position ${at}`, at);
}

function tooDeep(position: number): BusError {
  const detail = `arrays and objects may nest at most ${MAX_JSON_DEPTH} levels deep: exceeded at position ${position}`;
  return new BusError("json_invalid", detail, { members: { position, limit: MAX_JSON_DEPTH } });
}

function invalid(detail: string, position: number): BusError {
  return new BusError("json_invalid", detail, { members: { position } });
}

function describe(character: string): string {
  if (/[a-z]/i.test(character)) return "a letter";
  if (/[0-9]/.test(character)) return "a digit";
  if (/\p{Cc}/u.test(character)) return "a control character";
  return NAMES_OF_CHARACTERS[character] ?? "another character";
}

const NAMES_OF_CHARACTERS: Readonly<Record<string, string>> = {
  " ": "a space",
  '"': "a double quote",
  "'": "a single quote",
  ",": "a comma",
  ":": "a colon",
  ".": "a dot",
  "+": "a plus sign",
  "-": "a minus sign",
  "/": "a slash",
  "\\": "a backslash",
  "[": "an opening bracket",
  "]": "a closing bracket",
  "{": "an opening brace",
  "}": "a closing brace",
  "\uFEFF": "a byte order mark",
};
