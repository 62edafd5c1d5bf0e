import type { TopicSummary } from "../protocol/event.ts";
import type { SubscriberInfo } from "../protocol/subscriber.ts";
import type { NewToken, TokenInfo } from "../protocol/token.ts";
import { Calls } from "./calls.ts";
import { ConsumerCalls } from "./consumers/consumers.ts";
import { type ConsumeOptions, Consumption } from "./consumers/consumption.ts";
import { EventBusError } from "./errors.ts";
import { type Addresses, Http } from "./http.ts";
import type {
  CallOptions,
  ConnectOptions,
  Envelope,
  HistoryQuery,
  NewTokenOptions,
  PublishedRange,
  PublishOneOptions,
  PublishOptions,
  SubscribersOptions,
  TopicPagesOptions,
} from "./options.ts";
import { parseEvent, parseObject, type ReceivedEvent } from "./received-event.ts";
import type { Stats } from "./stats.ts";
import { type SubscribeOptions, Subscription } from "./subscription.ts";

/** The server sends something every 15 seconds: after three misses, the connection is dead. */
const SILENCE_MS = 45_000;
const TIMEOUT_MS = 30_000;
/** The server remembers an `Idempotency-Key` for ten minutes: every retry must have arrived by then. */
const MAX_TIMEOUT_MS = 9 * 60 * 1000;

/** The most topics that the server puts on a page. */
const MAX_TOPICS_LIMIT = 10_000;

const PUBLISH_PATH = "/api/events/publish";
const HISTORY_PATH = "/api/events/history";
const TOPICS_PATH = "/api/topics";
const TOKENS_PATH = "/api/tokens";
const JSON_TYPE = "application/json";
const LINES_TYPE = "application/x-ndjson";

/**
 * A server, as seen by publishers and subscribers. Created by `connect`; holds no connections except those of its
 * subscriptions.
 *
 * Every method that returns a promise rejects only with an {@link EventBusError}. It retries transient failures by
 * itself — no connection, 429, 5xx except a full disk — with growing, jittered pauses, until `timeoutMs` has passed;
 * `Retry-After` is honoured. The server validates patterns and topics.
 */
export class EventBusClient {
  readonly #http: Http;
  readonly #calls: Calls;
  readonly #silenceMs: number;
  readonly #closing = new AbortController();
  readonly #subscriptions = new Set<Subscription>();
  readonly #consumptions = new Set<Consumption>();
  /** Sets up and inspects consumers. */
  readonly consumers: ConsumerCalls;

  /** As `connect`. */
  constructor(url: Addresses, options: ConnectOptions = {}) {
    const { token, fetch, timeoutMs = TIMEOUT_MS, silenceMs = SILENCE_MS } = options;
    this.#http = new Http(url, token, fetch);
    this.#calls = new Calls(this.#http, checkedTime("timeoutMs", timeoutMs), this.#closing.signal);
    this.consumers = new ConsumerCalls(this.#calls);
    this.#silenceMs = checkedTime("silenceMs", silenceMs);
  }

  /** The address of the server in use, without a slash at the end. */
  get url(): string {
    return this.#http.url;
  }

  /**
   * Publishes one event; resolves with it once it is on the server's disk.
   *
   * `data` is any JSON value; `undefined` becomes `null`. What JSON cannot hold and would change silently is
   * rejected with `json_invalid`: `NaN`, infinities, functions, symbols, maps, sets, `undefined` in an array. One call
   * never publishes an event twice, however often the connection breaks. After `network` it is unknown whether the
   * event was published: to be sure, pass an `idempotencyKey` of your own, and publish again with the same key.
   */
  async publish(topic: string, data?: unknown, options: PublishOneOptions = {}): Promise<ReceivedEvent> {
    const { source } = options;
    return this.#publishOne(toJson({ topic, data, source }), options);
  }

  /** As `publish`, with the data as JSON text, which keeps `12345678901234567890` and `1.10` as they are. */
  async publishRaw(topic: string, json: string, options: PublishOneOptions = {}): Promise<ReceivedEvent> {
    const { source } = options;
    requireJson(json);
    return this.#publishOne(`${toJson({ topic, source }).slice(0, -1)},"data":${json}}`, options);
  }

  /** Publishes up to 10,000 events with consecutive ids, all or none, and never twice; otherwise as `publish`. */
  async publishMany(envelopes: Iterable<Envelope>, options: PublishOptions = {}): Promise<PublishedRange> {
    const lines = Array.from(envelopes, ({ topic, data, source }) => toJson({ topic, data, source }));
    return this.publishLines(lines.join("\n"), options);
  }

  /**
   * As `publishMany`, with the envelopes as JSON text, one per line, sent unchanged. An error in one line has its
   * number in `problem.line`, from 1.
   */
  async publishLines(ndjson: string, options: PublishOptions = {}): Promise<PublishedRange> {
    return parseObject<PublishedRange>(await this.#post(LINES_TYPE, ndjson, options), "last_id");
  }

  /**
   * Queries the history: the newest events, newest first; with `after` the oldest after that id, oldest first. `[]` if
   * there are none. For the next page, pass the id of the last one as `before` (or `after`). Rejects with
   * `cursor_expired` if retention has removed the events that come next after an id; `problem.oldest` is where to
   * continue.
   */
  async history<T = unknown>(query: HistoryQuery = {}): Promise<ReceivedEvent<T>[]> {
    const { signal, last, topic, from, to, source, before, after } = query;
    const parameters = { last, topic: [topic ?? []].flat(), from, to, source, before, after };
    const lines = await this.#calls.send(
      { path: HISTORY_PATH, query: parameters, headers: { accept: LINES_TYPE } },
      signal,
    );
    return lines
      .split("\n")
      .filter(Boolean)
      .map((line) => parseEvent<T>(line));
  }

  /** One event. Rejects with `not_found` when it never existed, with `cursor_expired` when it was pruned. */
  async event<T = unknown>(id: number, { signal }: CallOptions = {}): Promise<ReceivedEvent<T>> {
    return parseEvent<T>(await this.#calls.send({ path: `/api/events/${id}` }, signal));
  }

  /**
   * Every topic in the history that matches one of the patterns, by name; default `*`. Requests one page after another,
   * each within `timeoutMs`. If there may be very many topics, use `topicPages`.
   */
  async topics(patterns: string | readonly string[] = [], { signal }: CallOptions = {}): Promise<TopicSummary[]> {
    const topics: TopicSummary[] = [];
    const options = { signal, limit: MAX_TOPICS_LIMIT };
    for await (const page of this.topicPages(patterns, options)) for (const one of page) topics.push(one);
    return topics;
  }

  /**
   * As `topics`, one page at a time: holds only that page, and requests the next one on demand. A topic that is kept
   * throughout is returned exactly once, whatever is published and pruned meanwhile.
   *
   * @example
   * for await (const page of bus.topicPages("orders.*")) for (const { topic, count } of page) console.log(topic, count);
   */
  async *topicPages(
    patterns: string | readonly string[] = [],
    { signal, after, limit }: TopicPagesOptions = {},
  ): AsyncGenerator<TopicSummary[], void, undefined> {
    const query = { pattern: [patterns].flat(), after, limit };
    yield* this.#calls.pages<TopicSummary>({ path: TOPICS_PATH, query }, "topic", signal);
  }

  /** Applies the retention rules now; resolves with the number of events removed. */
  async prune({ signal }: CallOptions = {}): Promise<number> {
    const request = { method: "POST", path: "/api/events/prune" } as const;
    return (await this.#calls.object<{ pruned: number }>(request, "pruned", signal)).pruned;
  }

  /** Returns the state of the server. */
  async stats({ signal }: CallOptions = {}): Promise<Stats> {
    return this.#calls.object<Stats>({ path: "/api/stats" }, "version", signal);
  }

  /** The connected subscribers, at most `limit` (1 to 500, default 100): the one furthest behind first. */
  async subscribers({ signal, limit }: SubscribersOptions = {}): Promise<SubscriberInfo[]> {
    const query = { limit };
    return this.#calls.list<SubscriberInfo>({ path: "/api/subscribers", query }, "transport", signal);
  }

  /** Every named token, by name. Requires an admin token, as do the next two. */
  async tokens({ signal }: CallOptions = {}): Promise<TokenInfo[]> {
    return this.#calls.list<TokenInfo>({ path: TOKENS_PATH }, "name", signal);
  }

  /**
   * Creates a token. Its `secret` is returned only here. After `network` it is unknown whether it was created: revoke
   * it, and create it again.
   */
  async createToken(name: string, options: NewTokenOptions = {}): Promise<NewToken> {
    const { publish, subscribe, consume, admin, monitor, expiresAt, signal } = options;
    const body = JSON.stringify({
      name,
      publish,
      subscribe,
      consume,
      admin,
      monitor,
      expires_at: expiresAt?.toISOString(),
    });
    const headers = { "content-type": JSON_TYPE };
    const request = { method: "POST", path: TOKENS_PATH, headers, body } as const;
    return parseObject<NewToken>(await this.#calls.sendOnce(request, signal), "secret");
  }

  /** Revokes a token at once. Rejects with `not_found` if there is no token with this name. */
  async revokeToken(name: string, { signal }: CallOptions = {}): Promise<void> {
    await this.#calls.send({ method: "DELETE", path: `${TOKENS_PATH}/${encodeURIComponent(name)}` }, signal);
  }

  /**
   * Subscribes to the topics that match a pattern, or one of several. Connects at once, and never throws: errors are
   * thrown by the iteration.
   *
   * Each subscription holds a connection. A browser allows six to one server, for all its pages together, and Bun 256
   * in all (`BUN_CONFIG_MAX_HTTP_REQUESTS`); further calls wait. So prefer one subscription with several patterns.
   *
   * @example
   * for await (const event of bus.subscribe<Order>(["orders.*", "returns.*"], { since: lastSeenId })) {
   *   await handle(event.data);
   * }
   */
  subscribe<T = unknown>(patterns: string | readonly string[] = "*", options: SubscribeOptions = {}): Subscription<T> {
    const subscription = new Subscription<T>(
      this.#http,
      {
        patterns: [patterns].flat(),
        silenceMs: this.#silenceMs,
        onClose: (one) => this.#subscriptions.delete(one),
      },
      options,
    );
    this.#subscriptions.add(subscription);
    if (this.#closing.signal.aborted) subscription.close();
    return subscription;
  }

  /**
   * Takes from a consumer: each delivery is handled here and by no other worker, and comes again until it is
   * acknowledged. The iteration throws what a retry cannot fix.
   *
   * @example
   * for await (const delivery of bus.consume("billing", { credit: 10 })) {
   *   await handle(delivery.event);
   *   await delivery.ack();
   * }
   */
  consume(consumer: string, options: ConsumeOptions = {}): Consumption {
    const consumption = new Consumption(this.#calls, consumer, options, (one) => this.#consumptions.delete(one));
    this.#consumptions.add(consumption);
    if (this.#closing.signal.aborted) consumption.close();
    return consumption;
  }

  /** Ends every subscription and every `consume`, and each call with `closed`. May be called twice. */
  close(): void {
    this.#closing.abort(new EventBusError("closed", "the client was closed"));
    for (const subscription of [...this.#subscriptions]) subscription.close();
    for (const consumption of [...this.#consumptions]) consumption.close();
  }

  async #publishOne(body: string, options: PublishOptions): Promise<ReceivedEvent> {
    return parseEvent(await this.#post(JSON_TYPE, body, options));
  }

  #post(type: string, body: string, { idempotencyKey = randomKey(), signal }: PublishOptions): Promise<string> {
    const headers = { "content-type": type, "idempotency-key": idempotencyKey };
    return this.#calls.send({ method: "POST", path: PUBLISH_PATH, headers, body }, signal);
  }
}

/** 128 random bits. Not `crypto.randomUUID`, which browsers provide only on secure pages. */
function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join("-");
}

function toJson(value: Envelope): string {
  try {
    return JSON.stringify(value, requireWritable);
  } catch (error) {
    if (error instanceof EventBusError) throw error;
    throw new EventBusError("json_invalid", "the data cannot be written as JSON", { cause: error });
  }
}

/** For `JSON.stringify`, which writes `null`, `{}` or nothing for what it cannot represent. */
function requireWritable(name: string, value: unknown): unknown {
  const isLost =
    typeof value === "function" || typeof value === "symbol" || (typeof value === "number" && !Number.isFinite(value));
  const isEmptied = value instanceof Map || value instanceof Set;
  const isHole = Array.isArray(value) && value.includes(undefined);
  if (!isLost && !isEmptied && !isHole) return value;
  throw new EventBusError("json_invalid", `the data has something that JSON cannot hold, in ${JSON.stringify(name)}`);
}

function requireJson(text: string): void {
  try {
    JSON.parse(text);
  } catch (error) {
    throw new EventBusError("json_invalid", "the data is not JSON text", { cause: error });
  }
}

function checkedTime(name: string, timeMs: number): number {
  if (timeMs >= 1 && timeMs <= MAX_TIMEOUT_MS) return timeMs;
  throw new EventBusError("parameter_invalid", `${name} must be from 1 to ${MAX_TIMEOUT_MS} milliseconds`);
}
