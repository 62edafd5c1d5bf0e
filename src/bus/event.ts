import type { EventMessage } from "../protocol/event.ts";
import type { RawJson } from "./json.ts";
import type { Topic } from "./topic.ts";

/**
 * One published event; it never changes.
 *
 * Its JSON text is created once, when the event is committed or read, and is what every response, frame and stream
 * sends. It contains `data` exactly as it was published.
 */
export class Event {
  readonly id: number;
  readonly topic: Topic;
  readonly source: string;
  /** UTC, RFC 3339 with milliseconds. */
  readonly created_at: string;
  /** The complete event as JSON text on one line. */
  readonly json: string;
  readonly #dataCharacters: number;
  #bytes = 0;

  /** `json` is the text that was made of the same values before; by default it is made now. */
  constructor(id: number, series: SeriesName, createdAt: string, rawData: RawJson, json?: string) {
    this.id = id;
    this.topic = series.topic;
    this.source = series.source;
    this.created_at = createdAt;
    this.json =
      json ??
      `{"id":${id},"topic":"${series.topicText}","data":${rawData},"source":"${series.sourceText}","created_at":"${createdAt}"}`;
    this.#dataCharacters = rawData.length;
  }

  /** The event whose JSON text this is; `json`, `id`, `series` and `createdAt` MUST belong together. */
  static fromJson(json: string, id: number, series: SeriesName, createdAt: string): Event {
    const dataEnd = json.length - series.sourceText.length - createdAt.length - CHARACTERS_AFTER_DATA;
    return new Event(id, series, createdAt, json.slice(dataStartOf(json), dataEnd) as RawJson, json);
  }

  /** The size of `json` in UTF-8. Measured once, when it is first needed. */
  get bytes(): number {
    this.#bytes ||= Buffer.byteLength(this.json);
    return this.#bytes;
  }

  /** The data as published, as JSON text on one line. Cut out of `json`, so an event holds nothing else in memory. */
  get rawData(): RawJson {
    const start = dataStartOf(this.json);
    return this.json.slice(start, start + this.#dataCharacters) as RawJson;
  }

  /**
   * The data as a JavaScript value, parsed on every access. Numbers beyond the precision of a double lose digits here,
   * but not in `rawData`.
   */
  get data(): unknown {
    return JSON.parse(this.rawData);
  }

  /** Used by `JSON.stringify(event)`. For the exact text, use `json`. */
  toJSON(): EventMessage {
    const { id, topic, data, source, created_at } = this;
    return { id, topic, data, source, created_at };
  }
}

/** Quotation marks in topics are escaped, so the first match is the member. */
const DATA_MEMBER = ',"data":';
/** Of `,"source":"","created_at":""}`, without the values. */
const CHARACTERS_AFTER_DATA = ',"source":"","created_at":""}'.length;

function dataStartOf(json: string): number {
  return json.indexOf(DATA_MEMBER) + DATA_MEMBER.length;
}

/** The topic and source that many events share, with their JSON text made once. */
export class SeriesName {
  readonly topic: Topic;
  readonly source: string;
  /** The topic as it is written between the quotation marks of a JSON string. */
  readonly topicText: string;
  /** The same for the source. */
  readonly sourceText: string;

  constructor(topic: Topic, source: string) {
    this.topic = topic;
    this.source = source;
    this.topicText = escaped(topic);
    this.sourceText = escaped(source);
  }
}

/** The escaped text; the text itself, which takes no more memory, if there is nothing to escape. */
function escaped(text: string): string {
  const json = JSON.stringify(text);
  return json.length === text.length + 2 ? text : json.slice(1, -1);
}

/** RFC 3339 text of a time in milliseconds since 1970. Caches the last one, as events of one batch share it. */
export function formatTime(timeMs: number): string {
  if (timeMs !== lastTimeMs) {
    lastTimeMs = timeMs;
    lastTimeText = new Date(timeMs).toISOString();
  }
  return lastTimeText;
}
let lastTimeMs = 0;
let lastTimeText = "1970-01-01T00:00:00.000Z";
