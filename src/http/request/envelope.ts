import { BusError } from "../../bus/errors.ts";
import type { RawJson } from "../../bus/json.ts";
import type { Draft } from "../../bus/ports.ts";
import { parseSource, parseTopic } from "../../bus/topic.ts";
import { type Members, sliceMembers } from "./members.ts";

/** The members that an envelope may have. */
const ENVELOPE_MEMBERS = ["topic", "data", "source"] as const;

/**
 * Parses the body of a publish: `{"topic","data"?,"source"?}`. Data is kept as sent; default `null`.
 *
 * @throws BusError `json_invalid` with `position` if the text is not one JSON object; `topic_invalid` if the topic is
 * missing or invalid; `parameter_unknown` or `parameter_invalid` with `parameter` for another member, a member given
 * twice, or a bad source.
 */
export function parseEnvelope(text: string): Draft {
  const members = sliceMembers(text, '{"topic":…}');
  members.requireOnly(ENVELOPE_MEMBERS);
  return readDraft(members);
}

/**
 * Extracts topic, data and source from the members of a message; other members are ignored.
 *
 * The draft's strings are slices of the text, which they keep alive: the history copies the names of series it keeps.
 *
 * @throws BusError `topic_invalid` if the topic is missing or invalid; `parameter_invalid` with `parameter` for a bad
 * source.
 */
export function readDraft(members: Members): Draft {
  const topic = members.sharedValue("topic");
  if (topic === undefined) throw new BusError("topic_invalid", 'an event needs a topic: {"topic":"a.b"}');
  return {
    topic: parseTopic(topic),
    data: members.json("data") ?? NULL,
    source: parseSource(members.sharedValue("source")),
  };
}
const NULL = "null" as RawJson;

/**
 * Decodes the bytes of a JSON body. A leading byte order mark is dropped.
 *
 * @throws BusError `json_invalid` if the bytes are not UTF-8; nothing is ever replaced by U+FFFD.
 */
export function decodeUtf8(bytes: Uint8Array): string {
  return decode(jsonDecoder, bytes);
}
const jsonDecoder = new TextDecoder("utf-8", { fatal: true });

/** As `decodeUtf8`, but the byte order mark stays: a text is kept as it was sent. */
export function decodeText(bytes: Uint8Array): string {
  return decode(textDecoder, bytes);
}
const textDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decode(decoder: TextDecoder, bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new BusError("json_invalid", "the body is not valid UTF-8", { cause });
  }
}

/** A name in a path. What is not percent-encoded correctly names nothing. */
export function decodedSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
