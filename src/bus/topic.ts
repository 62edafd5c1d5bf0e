import { BusError } from "./errors.ts";

declare const topicBrand: unique symbol;

/** The name that an event is published under. Only {@link parseTopic} creates one, so it is always valid. */
export type Topic = string & { readonly [topicBrand]: "Topic" };

/** Keeps a topic in one index page and one log line, and bounds what a pattern can be made to cost. */
const MAX_TOPIC_BYTES = 255;

/** As long as a topic: a source names a service or a person, not a document. */
const MAX_SOURCE_BYTES = 255;

/** Every valid topic of ASCII characters, and nothing else. No two parts overlap, so it never backtracks. */
const ASCII_TOPIC = /^[\w#$%&'+:;<=>@^`"~-]+(?:\.[\w#$%&'+:;<=>@^`"~-]+)*$/;

/**
 * White space, control characters and lone surrogates; U+FEFF, which is invisible too; and the special characters of
 * patterns.
 */
const FORBIDDEN_CHARACTER = /[\p{White_Space}\uFEFF\p{Cc}\p{Cs}*?[\]{}()!|\\/,]/u;

const EMPTY_SEGMENT = /^\.|\.(?=\.|$)/;

/**
 * Parses an untrusted value as a topic, unchanged.
 *
 * A topic is 1 to 255 UTF-8 bytes long and consists of segments separated by dots, none of them empty. It contains no
 * white space, control character or lone surrogate, and none of `* ? [ ] { } ( ) ! | \ / ,`.
 *
 * @throws BusError `topic_invalid` for everything else. If the error has a place, `position` is its offset in UTF-16
 * code units from 0.
 */
export function parseTopic(value: unknown): Topic {
  if (typeof value !== "string") throw topicInvalid("a topic must be a string");
  if (value.length <= MAX_TOPIC_BYTES && ASCII_TOPIC.test(value)) return value as Topic;
  return parseUnusualTopic(value);
}

/**
 * Parses an untrusted value as the source of an event, unchanged; `undefined` becomes the default, the empty string.
 *
 * @throws BusError `parameter_invalid` with `parameter: "source"` if it is not a string, is longer than 255 UTF-8 bytes
 * or contains a lone surrogate.
 */
export function parseSource(value: unknown): string {
  if (value === undefined) return "";
  if (typeof value !== "string") throw sourceInvalid("a source must be a string");
  if (!fitsInBytes(value, MAX_SOURCE_BYTES)) {
    throw sourceInvalid(`a source must be at most ${MAX_SOURCE_BYTES} bytes of UTF-8`);
  }
  if (!value.isWellFormed()) throw sourceInvalid("a source must be valid Unicode; it holds a lone surrogate");
  return value;
}

function parseUnusualTopic(value: string): Topic {
  if (value === "") throw topicInvalid("a topic must not be empty");
  if (!fitsInBytes(value, MAX_TOPIC_BYTES)) {
    throw topicInvalid(`a topic must be at most ${MAX_TOPIC_BYTES} bytes of UTF-8`);
  }
  const forbidden = FORBIDDEN_CHARACTER.exec(value);
  if (forbidden) throw topicInvalid(describeForbidden(forbidden[0]), forbidden.index);
  const empty = EMPTY_SEGMENT.exec(value);
  if (empty) {
    const detail = "a topic must not have an empty segment; put text before, after and between its dots";
    throw topicInvalid(detail, empty.index);
  }
  return value as Topic;
}

function describeForbidden(character: string): string {
  const codePoint = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
  return (
    `a topic must not contain U+${codePoint}: no white space, control characters, ` +
    "lone surrogates, or any of * ? [ ] { } ( ) ! | \\ / , are allowed"
  );
}

/** UTF-8 never takes fewer bytes than UTF-16 takes code units, so a huge text is rejected without being measured. */
function fitsInBytes(text: string, maxBytes: number): boolean {
  return text.length <= maxBytes && Buffer.byteLength(text) <= maxBytes;
}

function topicInvalid(detail: string, position?: number): BusError {
  return new BusError("topic_invalid", detail, position === undefined ? {} : { members: { position } });
}

function sourceInvalid(detail: string): BusError {
  return new BusError("parameter_invalid", detail, { members: { parameter: "source" } });
}
