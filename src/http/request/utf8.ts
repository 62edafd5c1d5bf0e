import { isUtf8 } from "node:buffer";
import { BusError } from "../../bus/errors.ts";
import { onLine } from "../../protocol/problem.ts";

/** Bytes among which the first invalid one is searched one by one: fewer calls than halving them further. */
const SEARCHED_BYTES = 8;
/** A character takes at most this many bytes. */
const MAX_CHARACTER_BYTES = 4;
const LINE_FEED = "\n";

/**
 * Decodes the bytes of a JSON body. A leading byte order mark is dropped.
 *
 * @throws BusError `json_invalid` with `position` if the bytes are not UTF-8; nothing is ever replaced by U+FFFD.
 */
export function decodeUtf8(bytes: Uint8Array): string {
  return decode(jsonDecoder, bytes, notUtf8);
}
const jsonDecoder = new TextDecoder("utf-8", { fatal: true });

/** As `decodeUtf8`, of JSON lines: the error has `line`, from 1, and `position` from the start of that line. */
export function decodeUtf8Lines(bytes: Uint8Array): string {
  return decode(jsonDecoder, bytes, notUtf8OnLine);
}

/** As `decodeUtf8`, but the byte order mark stays: a text is kept as it was sent. */
export function decodeText(bytes: Uint8Array): string {
  return decode(textDecoder, bytes, notUtf8);
}
const textDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** `toError` is called with the text before the first invalid byte. */
function decode(decoder: TextDecoder, bytes: Uint8Array, toError: (valid: string, cause: unknown) => BusError): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw toError(decoder.decode(bytes.subarray(0, validLength(bytes))), cause);
  }
}

function notUtf8({ length: position }: string, cause: unknown): BusError {
  const detail = `the body is not valid UTF-8 at position ${position}`;
  return new BusError("json_invalid", detail, { cause, members: { position } });
}

function notUtf8OnLine(valid: string, cause: unknown): BusError {
  const lines = valid.split(LINE_FEED);
  const [line, position] = [lines.length, lines.at(-1)?.length ?? 0];
  const detail = onLine(line, `the body is not valid UTF-8 at position ${position}`);
  return new BusError("json_invalid", detail, { cause, members: { line, position } });
}

/**
 * How many of the first bytes are UTF-8, of bytes that are not as a whole. Halves the range in which the invalid byte
 * is, so that each byte is looked at about twice, and none by this code.
 */
function validLength(bytes: Uint8Array): number {
  let [valid, end] = [0, bytes.length];
  while (end - valid > SEARCHED_BYTES) {
    const middle = characterStart(bytes, valid + ((end - valid) >> 1));
    if (isUtf8(bytes.subarray(valid, middle))) valid = middle;
    else end = middle;
  }
  for (let size = 1; size <= MAX_CHARACTER_BYTES && valid + size <= bytes.length; size++) {
    if (!isUtf8(bytes.subarray(valid, valid + size))) continue;
    valid += size;
    size = 0;
  }
  return valid;
}

/** The place itself, or up to three bytes before it, where a character may begin. */
function characterStart(bytes: Uint8Array, place: number): number {
  for (let at = place; at > place - MAX_CHARACTER_BYTES; at--) {
    if (((bytes[at] ?? 0) & 0xc0) !== 0x80) return at;
  }
  return place;
}
