import { BusError } from "../../bus/errors.ts";
import type { Waiting } from "../limits/waiting.ts";
import { pulledBody } from "./pulled-body.ts";

/**
 * An array of up to this many characters is sent at once. The kernel nearly always takes it, whether the client reads
 * or not.
 */
export const MAX_WHOLE_CHARACTERS = 64 * 1024;
/** Size of a piece of a longer response: large enough for a fast client, small enough for hundreds that do not read. */
export const PIECE_CHARACTERS = 128 * 1024;
/** Size of a piece when the waiting output is near its bound: smaller pieces would take too long. */
export const MIN_PIECE_CHARACTERS = 16 * 1024;
/** If less than this part of the bound is free, no response is begun that may have much waiting. */
const LAST_PART = 1 / 64;

/**
 * Throws `unavailable` with `limit` if the output waiting for clients that do not read has nearly reached its bound.
 */
export function requireRoom({ bytes, maxBytes }: Waiting): void {
  if (maxBytes - bytes > maxBytes * LAST_PART) return;
  throw new BusError("unavailable", "too much output is waiting for clients that do not read: try again in a moment", {
    members: { limit: maxBytes },
  });
}

/**
 * JSON texts as one array. A long one is sent piece by piece, and counts as waiting until the client has read it all.
 * Throws `unavailable` if there is no room for a long one.
 */
export function arrayBody(texts: readonly string[], waiting: Waiting): string | ReadableStream<Uint8Array> {
  const characters = texts.reduce((sum, text) => sum + text.length, 0);
  if (characters <= MAX_WHOLE_CHARACTERS) return `[${texts.join(",")}]`;
  requireRoom(waiting);
  return pulledBody(cut(texts), waiting, characters);
}

async function* cut(texts: readonly string[]): AsyncGenerator<string> {
  let piece = "[";
  for (const [index, text] of texts.entries()) {
    piece += index === 0 ? text : `,${text}`;
    if (piece.length < PIECE_CHARACTERS) continue;
    yield piece;
    piece = "";
  }
  yield `${piece}]`;
}
