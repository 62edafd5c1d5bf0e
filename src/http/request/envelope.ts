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

/** A name in a path. What is not percent-encoded correctly names nothing. */
export function decodedSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
