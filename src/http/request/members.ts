import { BusError } from "../../bus/errors.ts";
import { type RawJson, requireEnd, toOneLine } from "../../bus/json.ts";
import { scanColon, scanJson, scanName, skipSpace, unexpected } from "../../bus/json-scanner.ts";
import { nearest } from "../../text/nearest.ts";

/**
 * Members of one object that are kept; the rest is only checked to be JSON. No message has more than eight known names,
 * so among this many there is an unknown one, and the message is rejected whatever the rest is.
 */
const MAX_MEMBERS = 16;

/** Characters of a member's name that an error repeats: enough to recognise a slip, too few to carry a body. */
const MAX_NAME_CHARACTERS = 64;

const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const COMMA = 0x2c;

/**
 * Splits a text that is one JSON object into its members, in one pass. The whole text is checked. {@link
 * Members.requireOnly} checks afterwards which members are allowed, so that one of them, such as `type`, can decide
 * that. `example` is an object to show in the error if the text is not one.
 *
 * @throws BusError `json_invalid` with `position` if the text is not one JSON object; `parameter_invalid` with
 * `parameter` if two of its members have the same name.
 */
export function sliceMembers(text: string, example = '{"type":…}'): Members {
  const members = new Members(text);
  let at = skipSpace(text, 0);
  if (text.charCodeAt(at) !== OPEN_BRACE) throw unexpected(text, at, `an object like ${example}`);
  at = skipSpace(text, at + 1);
  if (text.charCodeAt(at) === CLOSE_BRACE) at++;
  else at = sliceEach(text, at, members);
  requireEnd(text, at);
  return members;
}

/** Cuts from the first name on, and returns the offset after the closing brace. */
function sliceEach(text: string, firstName: number, members: Members): number {
  let at = firstName;
  for (;;) {
    const nameEnd = scanName(text, at);
    const start = skipSpace(text, scanColon(text, nameEnd));
    const end = scanJson(text, start);
    members.add(nameOf(text, at, nameEnd), start, end);
    at = skipSpace(text, end);
    const next = text.charCodeAt(at);
    if (next === CLOSE_BRACE) return at + 1;
    if (next !== COMMA) throw unexpected(text, at, "a comma or }");
    at = skipSpace(text, at + 1);
  }
}

/** The name of a member: its JSON text, already checked, lies from `start` to `end`, including the quotes. */
function nameOf(text: string, start: number, end: number): string {
  for (const name of USUAL_NAMES) {
    if (name.length === end - start - 2 && text.startsWith(name, start + 1)) return name;
  }
  const inner = text.slice(start + 1, end - 1);
  return inner.includes("\\") ? JSON.parse(`"${inner}"`) : inner;
}

/** Names that nearly every message has: found in its text, they need not be cut out of it. */
const USUAL_NAMES = ["topic", "data", "source", "type", "ref", "deliveries"] as const;

/** The members of one JSON object: decoded names, and values as slices of its text, which they keep alive. */
export class Members {
  readonly #text: string;
  readonly #names: string[] = [];
  /** Where in the text the value of each name begins, and where it ends. */
  readonly #bounds: number[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  /**
   * Keeps a member whose value lies from `start` to `end`, unless there are many already. Throws `parameter_invalid` if
   * there is one of that name.
   */
  add(name: string, start: number, end: number): void {
    if (this.#names.length === MAX_MEMBERS) return;
    if (this.#names.includes(name)) {
      const parameter = shorten(name);
      const detail = `the member ${JSON.stringify(parameter)} appears twice`;
      throw new BusError("parameter_invalid", detail, { members: { parameter } });
    }
    this.#names.push(name);
    this.#bounds.push(start, end);
  }

  /** The value's text as it was sent, or undefined if the object has no such member. */
  raw(name: string): string | undefined {
    const index = this.#names.indexOf(name);
    return index < 0 ? undefined : this.#text.slice(this.#bounds[2 * index], this.#bounds[2 * index + 1]);
  }

  /** The value as JSON on one line, or undefined if the object has no such member. */
  json(name: string): RawJson | undefined {
    const raw = this.raw(name);
    return raw === undefined ? undefined : toOneLine(raw);
  }

  /** The value, parsed on every access, or undefined if the object has no such member. Shares nothing with the text. */
  value(name: string): unknown {
    const raw = this.raw(name);
    return raw === undefined ? undefined : JSON.parse(raw);
  }

  /**
   * As `value`, but a string without escapes is a slice, which keeps the whole text alive and costs a third as much:
   * whoever keeps it longer than the text must copy it.
   */
  sharedValue(name: string): unknown {
    const raw = this.raw(name);
    if (raw === undefined) return undefined;
    return raw.startsWith('"') && !raw.includes("\\") ? raw.slice(1, -1) : JSON.parse(raw);
  }

  /**
   * Checks that the object has no members but these, at most 16.
   *
   * @throws BusError `parameter_unknown` for the first other one. `parameter` is its name, cut off after 64 characters.
   */
  requireOnly(known: readonly string[]): void {
    for (const name of this.#names) {
      if (!known.includes(name)) throw unknownMember(name, known);
    }
  }
}

function unknownMember(name: string, known: readonly string[]): BusError {
  const parameter = shorten(name);
  const meant = nearest(parameter, known);
  const hint = meant === undefined ? "" : `; did you mean ${meant}?`;
  const detail = `the member ${JSON.stringify(parameter)} is not one of ${known.join(", ")}${hint}`;
  return new BusError("parameter_unknown", detail, { members: { parameter } });
}

/** The first 64 characters, without any half of one. */
function shorten(name: string): string {
  const start = name.slice(0, 2 * MAX_NAME_CHARACTERS);
  return [...start].slice(0, MAX_NAME_CHARACTERS).join("").toWellFormed();
}
