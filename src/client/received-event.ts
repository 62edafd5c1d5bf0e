import type { EventMessage } from "../protocol/event.ts";
import { EventBusError } from "./errors.ts";

/**
 * An event as received from the server: `id`, `topic`, `data`, `source`, `created_at`, and its exact text.
 *
 * `data` is what `JSON.parse` makes of it, so `12345678901234567890` and `1e400` are changed by JavaScript's numbers;
 * in `rawData` and `json` they are not. `T` is what the caller says that the data is; nothing checks it.
 */
export interface ReceivedEvent<T = unknown> extends EventMessage {
  readonly data: T;
  /** The data as JSON text, as it was published. */
  readonly rawData: string;
  /** The complete event as JSON text on one line. */
  readonly json: string;
}

/** Parses an event's JSON text. Throws `protocol` if it is not one. */
export function parseEvent<T = unknown>(json: string): ReceivedEvent<T> {
  const event = parseJson(json) as Partial<EventMessage> | null;
  if (typeof event?.id === "number" && typeof event.topic === "string")
    return new Parsed(event as EventMessage & { data: T }, json);
  throw new EventBusError("protocol", "the server sent something that is not an event");
}

/** The same event, with the data that the caller says it has. */
export function withDataOf<T>(event: ReceivedEvent): ReceivedEvent<T> {
  return event as ReceivedEvent<T>;
}

/** Throws `protocol` when the text is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new EventBusError("protocol", "the server sent something that is not JSON", { cause: error });
  }
}

/** Parses an object that has this member. Throws `protocol` if it is not one, so that it is not from an eventbus. */
export function parseObject<T>(json: string, member: keyof T & string): T {
  return checked<T>(parseJson(json), member);
}

/** Parses an array of objects that have this member. Throws `protocol` if it is not one. */
export function parseList<T>(json: string, member: keyof T & string): T[] {
  const list = parseJson(json);
  if (!Array.isArray(list)) throw foreign();
  return list.map((one: unknown) => checked<T>(one, member));
}

function checked<T>(value: unknown, member: keyof T & string): T {
  if (value instanceof Object && member in value) return value as T;
  throw foreign();
}

function foreign(): EventBusError {
  return new EventBusError("protocol", "the server sent something that is not from an eventbus");
}

/**
 * The data's text in an event's JSON text. The members stand in a fixed order: id, topic, data, source, created_at. A
 * topic has no comma, and inside a string every quote has a backslash before it: so the first `,"data":` and the last
 * `,"source":` are the members.
 */
export function rawDataOf(json: string): string {
  return json.slice(json.indexOf(DATA_MEMBER) + DATA_MEMBER.length, json.lastIndexOf(SOURCE_MEMBER));
}

const DATA_MEMBER = ',"data":';
const SOURCE_MEMBER = ',"source":';

class Parsed<T> implements ReceivedEvent<T> {
  readonly id: number;
  readonly topic: string;
  readonly data: T;
  readonly source: string;
  readonly created_at: string;
  readonly #json: string;

  constructor({ id, topic, data, source, created_at }: EventMessage & { data: T }, json: string) {
    this.id = id;
    this.topic = topic;
    this.data = data;
    this.source = source;
    this.created_at = created_at;
    this.#json = json;
  }

  get json(): string {
    return this.#json;
  }

  get rawData(): string {
    return rawDataOf(this.#json);
  }
}
