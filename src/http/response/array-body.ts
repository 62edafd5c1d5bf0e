import { BusError } from "../../bus/errors.ts";
import type { Waiting } from "../limits/waiting.ts";
import { pulledBody } from "./pulled-body.ts";

/** An array of up to so much is sent at once. Nearly always the kernel takes it, whether the client reads or not. */
export const MAX_WHOLE_CHARACTERS = 64 * 1024;
/** A piece of a longer answer: large enough for a fast client, small enough for hundreds that do not read. */
export const PIECE_CHARACTERS = 128 * 1024;
/** A piece when hardly any more may wait: smaller ones would take too long. */
export const MIN_PIECE_CHARACTERS = 16 * 1024;
/** When less than this part of what may wait is left, no answer is begun of which much may wait. */
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
