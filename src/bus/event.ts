import type { EventMessage } from "../protocol/event.ts";
import type { RawJson } from "./json.ts";
import type { Topic } from "./topic.ts";

/**
 * One published event, unchanging.
 *
 * Its JSON text is made once, when the event is committed or read, and is what every answer, frame and stream
 * sends. `data` in it stands exactly as it was published.
 */
export class Event {
  readonly id: number;
  readonly topic: Topic;
  readonly source: string;
  /** UTC, RFC 3339 with milliseconds. */
  readonly created_at: string;
  /** The data as published, as JSON text on one line. */
  readonly rawData: RawJson;
  /** The whole event as JSON text on one line. */
  readonly json: string;

  constructor(id: number, series: SeriesName, createdAt: string, rawData: RawJson) {
    this.id = id;
    this.topic = series.topic;
    this.source = series.source;
    this.created_at = createdAt;
    this.rawData = rawData;
    this.json = `{"id":${id},${series.topicMember},"data":${rawData},${series.sourceMember},"created_at":"${createdAt}"}`;
  }

  /** The data as a JavaScript value, parsed anew each time; numbers beyond a double lose digits, `rawData` does not. */
  get data(): unknown {
    return JSON.parse(this.rawData);
  }

  /** What `JSON.stringify(event)` uses. For the exact text, take `json`. */
  toJSON(): EventMessage {
    const { id, topic, data, source, created_at } = this;
    return { id, topic, data, source, created_at };
  }
}

/** The topic and source that many events share, with their JSON made once. */
export class SeriesName {
  readonly topic: Topic;
  readonly source: string;
  readonly topicMember: string;
  readonly sourceMember: string;

  constructor(topic: Topic, source: string) {
    this.topic = topic;
    this.source = source;
    this.topicMember = `"topic":${JSON.stringify(topic)}`;
    this.sourceMember = `"source":${JSON.stringify(source)}`;
  }
}

/** RFC 3339 text of a time in milliseconds since 1970; remembers the last one, as events of one batch share it. */
export function formatTime(timeMs: number): string {
  if (timeMs !== lastTimeMs) {
    lastTimeMs = timeMs;
    lastTimeText = new Date(timeMs).toISOString();
  }
  return lastTimeText;
}
let lastTimeMs = 0;
let lastTimeText = "1970-01-01T00:00:00.000Z";
