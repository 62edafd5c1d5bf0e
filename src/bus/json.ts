import { BusError } from "./errors.ts";
import { scanJson, skipSpace, unexpected } from "./json-scanner.ts";

declare const rawJsonBrand: unique symbol;

/**
 * One JSON value as text: validated, on one line, otherwise as it was sent. Its digits, the order of its keys and its
 * duplicate keys survive. Like json.RawMessage in Go.
 */
export type RawJson = string & { readonly [rawJsonBrand]: "RawJson" };

/**
 * Parses a text as JSON: exactly one value; white space around it is allowed and removed. Line breaks and tabs between
 * its tokens are removed too, because events are sent on one line.
 *
 * @throws BusError `json_invalid` with `position`, in UTF-16 code units from 0; with `limit` if it nests deeper than 512.
 */
export function parseRawJson(text: string): RawJson {
  const start = skipSpace(text, 0);
  const end = scanJson(text, start);
  requireEnd(text, end);
  return toOneLine(text.slice(start, end));
}

/**
 * Converts a JavaScript value to JSON, as `JSON.stringify` does; `undefined` becomes `null`.
 *
 * @throws BusError `json_invalid` if the value has no JSON form: a function, a symbol, a bigint, a cycle, or a `toJSON`
 * that throws or returns none; with `limit` if it nests deeper than 512.
 */
export function toRawJson(value: unknown): RawJson {
  if (value === undefined) return "null" as RawJson;
  const text = stringify(value);
  if (text === undefined) throw new BusError("json_invalid", `data of type ${typeof value} has no JSON form`);
  return parseRawJson(text);
}

/** The one-line form of a text that `scanJson` has found to be one value, without white space around it. */
export function toOneLine(checked: string): RawJson {
  return (hasBreak(checked) ? checked.replace(BREAKS, "") : checked) as RawJson;
}

/**
 * Checks that nothing but white space follows from `end` on.
 *
 * @throws BusError `json_invalid` with `position` if something does.
 */
export function requireEnd(text: string, end: number): void {
  const rest = skipSpace(text, end);
  if (rest < text.length) throw unexpected(text, rest, "the end of the text");
}

// A JSON string never contains one of these unescaped, so each of them is between two tokens and may be removed.
const BREAKS = /[\t\n\r][\t\n\r ]*/g;

function hasBreak(json: string): boolean {
  return json.includes("\n") || json.includes("\r") || json.includes("\t");
}

/** `JSON.stringify` with its true type, and with its errors turned into ours. */
function stringify(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch (cause) {
    const detail = "the data has no JSON form: it holds a bigint, a cycle, or a toJSON that throws, or nests too deep";
    throw new BusError("json_invalid", detail, { cause });
  }
}
