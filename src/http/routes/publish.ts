import { type Principal, requirePublish } from "../../bus/access/principal.ts";
import type { Bus } from "../../bus/bus.ts";
import { BusError } from "../../bus/errors.ts";
import { parseRawJson, type RawJson, toRawJson } from "../../bus/json.ts";
import type { Appended, Draft } from "../../bus/ports.ts";
import { parseSource, parseTopic, type Topic } from "../../bus/topic.ts";
import type { Callers } from "../access/gate.ts";
import { publishDocs, publishToDocs } from "../docs/publish.ts";
import type { OnLimit } from "../limits/limits.ts";
import { mediaTypeOf, readBody } from "../request/body.ts";
import { parseEnvelope } from "../request/envelope.ts";
import { IncomingBodies } from "../request/incoming-bodies.ts";
import { MAX_NDJSON_LINES, parseEnvelopes } from "../request/ndjson.ts";
import { Query, text } from "../request/query.ts";
import { decodeText, decodeUtf8, decodeUtf8Lines } from "../request/utf8.ts";
import { jsonText } from "../response/answer.ts";
import { type Call, type Route, route } from "./route.ts";

export interface PublishLimits {
  /** Largest body of one event, in bytes. */
  readonly maxBodyBytes: number;
  /** Largest NDJSON body, in bytes. */
  readonly maxNdjsonBytes: number;
  /** Counts the events that a request publishes, and throws `rate_limited`. Default: none. */
  readonly meterOf?: (request: Request, caller: Principal) => (count: number) => void;
  /** Events that `meterOf` lets one publisher publish at once: a body with more could never pass. Default: any number. */
  readonly maxAtOnce?: number;
  readonly onLimit?: OnLimit | undefined;
  /**
   * Requests that have ended so far, with or without a response: while it stays the same, no client has left. Default:
   * it changes.
   */
  readonly endedRequests?: () => number;
}

const PUBLISH_PATH = "/api/events/publish";
const ENVELOPE_TYPES = ["json", "ndjson"] as const;
const DATA_TYPES = ["json", "text"] as const;
/** Bytes of an `Idempotency-Key`; the text of a header has one character for each. */
const MAX_KEY_BYTES = 255;

/** A webhook sends parameters of its own, which its receiver cannot change; they are ignored. */
const publishToQuery = new Query(
  { source: text(parseSource, "Identifies the publisher; at most 255 bytes.", { maxLength: 255, default: "" }) },
  "passed",
);

/** `POST /api/events/publish` and `POST /api/events/publish/{topic}`. */
export function publishRoutes(bus: Bus, limits: PublishLimits, callers: Callers): Route[] {
  const publisher = new Publisher(bus, limits, callers);
  return [
    route({
      method: "POST",
      path: PUBLISH_PATH,
      access: "publish",
      docs: publishDocs,
      handle: (call) => publisher.publish(call),
    }),
    route({
      method: "POST",
      path: `${PUBLISH_PATH}/:topic`,
      access: "publish",
      query: publishToQuery,
      docs: publishToDocs,
      handle: (call) => publisher.publishTo(call, call.query.source[0]),
    }),
  ];
}

/** Reads the events out of requests, and appends them. */
class Publisher {
  readonly #bus: Bus;
  readonly #limits: PublishLimits;
  readonly #callers: Callers;
  readonly #incoming = new IncomingBodies();

  constructor(bus: Bus, limits: PublishLimits, callers: Callers) {
    this.#bus = bus;
    this.#limits = limits;
    this.#callers = callers;
  }

  /** The body is an envelope, or lines of them. */
  async publish(call: Call<unknown>): Promise<Response> {
    const { maxBodyBytes, maxNdjsonBytes, meterOf, maxAtOnce = MAX_NDJSON_LINES } = this.#limits;
    const { maxAppendBytes } = this.#bus;
    const { request, caller } = call;
    const ended = this.#limits.endedRequests?.();
    const mediaType = mediaTypeOf(request, ENVELOPE_TYPES);
    const isMany = mediaType === "ndjson";
    const count = meterOf?.(request, caller);
    count?.(1);
    const maxBytes = Math.min(isMany ? maxNdjsonBytes : maxBodyBytes, maxAppendBytes);
    const bytes = await readBody(request, maxBytes, this.#incoming);
    const drafts = isMany
      ? parseEnvelopes(decodeUtf8Lines(bytes), {
          maxLines: Math.min(MAX_NDJSON_LINES, maxAtOnce),
          maxLineBytes: maxBodyBytes,
        })
      : [parseEnvelope(decodeUtf8(bytes))];
    if (drafts.length > 1) count?.(drafts.length - 1);
    const appended = await this.#append(call, drafts, ended);
    return isMany ? answerMany(appended) : answerOne(appended);
  }

  /** The body is the data. */
  async publishTo(call: Call<unknown>, source = ""): Promise<Response> {
    const { request, caller, segment } = call;
    const ended = this.#limits.endedRequests?.();
    const mediaType = mediaTypeOf(request, DATA_TYPES);
    const topic = topicOf(segment);
    this.#limits.meterOf?.(request, caller)(1);
    const maxBytes = Math.min(this.#limits.maxBodyBytes, this.#bus.maxAppendBytes);
    const body = await readBody(request, maxBytes, this.#incoming);
    const data = mediaType === "text" ? toRawJson(decodeText(body)) : parseData(decodeUtf8(body));
    return answerOne(await this.#append(call, [{ topic, data, source }], ended));
  }

  /**
   * Appends the drafts. If bytes follow a complete request, such as a stray line break, Bun's parser responds with 400
   * and closes the connection in the turn that brought both. The client reads that instead of the response to its
   * publish, so the publish is dropped. A client that leaves without waiting for its response is noticed in a later
   * turn, and its publish is stored.
   *
   * `ended` is the number of requests that had ended when this one began: a body may take several turns to arrive.
   */
  #append({ request, caller }: Call<unknown>, drafts: readonly Draft[], ended: number | undefined): Promise<Appended> {
    this.#callers.requireValid(caller);
    requirePublish(caller, drafts);
    const key = request.headers.get("idempotency-key");
    // Making the signal costs more than checking whether any request has ended, which is rare meanwhile.
    const isAbandoned = () =>
      (ended === undefined || ended !== this.#limits.endedRequests?.()) && request.signal.aborted;
    if (key === null) return this.#bus.append(drafts, { isAbandoned });
    requireKey(key);
    return this.#bus.append(drafts, { idempotencyKey: keyOf(caller, key), isAbandoned });
  }
}

/** Adds advice on sending plain text to the error. */
function parseData(body: string): RawJson {
  try {
    return parseRawJson(body);
  } catch (error) {
    if (!(error instanceof BusError) || error.members.position !== 0) throw error;
    const detail = `${error.message}; to send text, use Content-Type: text/plain`;
    throw new BusError(error.code, detail, { cause: error, members: error.members });
  }
}

function topicOf(segment: string): Topic {
  let topic: string;
  try {
    topic = decodeURIComponent(segment);
  } catch (error) {
    throw new BusError("topic_invalid", "the topic in the path is not percent-encoded UTF-8", { cause: error });
  }
  return parseTopic(topic);
}

/**
 * Throws `parameter_invalid` if the header is empty or too long. A header that was sent twice cannot be told from one key
 * with a comma in it: HTTP joins them, and the same two headers give the same key.
 */
function requireKey(key: string): void {
  if (key !== "" && key.length <= MAX_KEY_BYTES) return;
  throw new BusError("parameter_invalid", `the Idempotency-Key header must have 1 to ${MAX_KEY_BYTES} bytes`, {
    members: { parameter: "Idempotency-Key", limit: MAX_KEY_BYTES },
  });
}

/** Each caller has its own keys; otherwise a key would reveal what others published. No header contains a line feed. */
function keyOf({ name }: Principal, key: string): string {
  return name === "" ? key : `${name}\n${key}`;
}

const REPLAYED = { "Idempotency-Replayed": "true" };

function answerOne({ events, replayed }: Appended): Response {
  return jsonText(events[0]?.json ?? "null", replayed ? REPLAYED : undefined);
}

function answerMany({ events, replayed }: Appended): Response {
  const answer = { count: events.length, first_id: events[0]?.id, last_id: events.at(-1)?.id };
  return jsonText(JSON.stringify(answer), replayed ? REPLAYED : undefined);
}
