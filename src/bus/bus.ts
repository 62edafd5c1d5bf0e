import type { TopicSummary } from "../protocol/event.ts";
import type { Scope } from "./access/scope.ts";
import { Cursor } from "./cursor.ts";
import type { Member } from "./delivery/cohort.ts";
import { type EdgeOptions, Groups } from "./delivery/groups.ts";
import { Sweep } from "./delivery/sweep.ts";
import { BusError } from "./errors.ts";
import type { Event } from "./event.ts";
import { type Interest, InterestTable } from "./interest/interest.ts";
import { parseRawJson, type RawJson, toRawJson } from "./json.ts";
import { Meter } from "./meter.ts";
import {
  checkedLimit,
  DEFAULT_HISTORY_LIMIT,
  type SubscribeOptions,
  startOf,
  type TimeRange,
  timeOf,
} from "./options.ts";
import { PatternSet } from "./patterns/pattern-set.ts";
import type {
  Appended,
  AppendOptions,
  Draft,
  EventLog,
  Filter,
  Health,
  Retention,
  StorageSize,
  TopicMatcher,
  TopicQuery,
} from "./ports.ts";
import { StartSearch } from "./start-search.ts";
import { Subscriber } from "./subscriber.ts";
import { parseSource, parseTopic } from "./topic.ts";
import { defaultTuning, type Tuning } from "./tuning.ts";

/** Events read at a time; in between, the event loop is free. */
const PAGE_EVENTS = 500;
/** Assumed size of an event before the first page is read, in characters of JSON. */
const TYPICAL_CHARACTERS = 1024;
/** Topics read at a time. */
const PAGE_TOPICS = 500;

export interface BusOptions extends Retention {
  /** Milliseconds since 1970; used for starts that name a duration. */
  clock: () => number;
  /** The time by which ages are measured, in milliseconds since 1970; default `clock`. */
  ageClock?: () => number;
  /** Called when a scheduled pruning run fails; the next run starts all the same. */
  onPruneError?: (error: unknown) => void;
  /** Resolves when the next page of a long response may be read; default: in the next turn of the loop. */
  nextTurn?: () => Promise<void>;
  /** Counts activity; default: a meter of its own. */
  meter?: Meter;
  /** Overrides of the defaults. */
  tuning?: Partial<Tuning>;
}

/** The query for a page of history. */
export interface HistoryQuery {
  readonly filter: Filter;
  /** `newest`: from `before` downwards. `oldest`: from `after` upwards. */
  readonly order: "newest" | "oldest";
  /** Ids, exclusive. */
  readonly after?: number;
  readonly before?: number;
  readonly limit: number;
  /** Approximate maximum of characters of JSON per page, read before each page; default: that of 500 events. */
  readonly pageCharacters?: () => number;
}

/** A range of history. */
export interface HistoryPage {
  readonly events: readonly Event[];
  /** Ids in the range that are damaged on disk, and therefore not among the events; ascending. */
  readonly damaged: readonly number[];
}

/**
 * Publishes events into a history and delivers them to the subscribers of their topic.
 *
 * An event is committed before it is delivered, and delivered in id order. Publishers never wait for subscribers.
 */
export class Bus {
  /** For edges with their own delivery: how much output may be waiting for one subscriber. */
  readonly tuning: Tuning;
  /** Activity since the start; edges with their own delivery count here too. */
  readonly meter: Meter;
  readonly #log: EventLog;
  readonly #retention: Retention;
  readonly #clock: () => number;
  readonly #ageClock: () => number;
  readonly #onPruneError: (error: unknown) => void;
  readonly #nextTurn: () => Promise<void>;
  /** Average size of an event in the last page of history; the next page is sized by it. */
  #eventCharacters = TYPICAL_CHARACTERS;
  readonly #interests = new InterestTable();
  readonly #sweep: Sweep;
  readonly #subscribers = new Set<Subscriber>();
  #pruneTimer: ReturnType<typeof setInterval> | undefined;
  #stopping: Promise<void> | undefined;

  constructor(log: EventLog, options: BusOptions) {
    this.tuning = { ...defaultTuning, ...options.tuning };
    this.meter = options.meter ?? new Meter();
    this.#log = log;
    this.#retention = options;
    this.#clock = options.clock;
    this.#ageClock = options.ageClock ?? options.clock;
    this.#onPruneError = options.onPruneError ?? (() => {});
    this.#nextTurn = options.nextTurn ?? nextTurn;
    this.#sweep = new Sweep({ log, pageEvents: this.tuning.pageEvents });
    log.onCommit((batch) => {
      for (const { bytes } of batch) this.meter.publishedBytes += bytes;
      this.#interests.deliver(batch);
    });
  }

  /**
   * Commits and delivers one event; resolves with the event once it is on disk.
   *
   * `data` is any JSON value, `undefined` becomes `null`; to store JSON text unchanged, see `publishRaw`. `source`
   * defaults to `""`. Rejects with `topic_invalid`, `parameter_invalid`, `json_invalid`, `storage_full`,
   * `shutting_down` or, if it is unknown whether the event was stored, `unavailable`.
   */
  async publish(topic: string, data: unknown, source?: string): Promise<Event> {
    return this.#publish(topic, toRawJson(data), source);
  }

  /** As `publish`, with the data as JSON text. Only line breaks and tabs between tokens are removed. */
  async publishRaw(topic: string, json: string, source?: string): Promise<Event> {
    return this.#publish(topic, parseRawJson(json), source);
  }

  async #publish(topic: string, data: RawJson, source: string | undefined): Promise<Event> {
    const draft = { topic: parseTopic(topic), data, source: parseSource(source) };
    const { events } = await this.#log.append([draft]);
    const [event] = events;
    if (event === undefined) throw new BusError("internal", "the log returned no event");
    return event;
  }

  /** Commits all the drafts, with consecutive ids, or none. Rejects as `publish`, and with `idempotency_conflict`. */
  append(drafts: readonly Draft[], options?: AppendOptions): Promise<Appended> {
    return this.#log.append(drafts, options);
  }

  /**
   * Subscribes to the topics that match a pattern, or any of several; an event is delivered once in either case.
   *
   * Every matching event from the start on is delivered once, in id order, however slowly the subscriber reads. Throws
   * `pattern_invalid` or `parameter_invalid`.
   */
  subscribe(pattern: string | readonly string[] = "*", options: SubscribeOptions = {}): Subscriber {
    this.#refuseWhenStopped();
    const topics = PatternSet.parse([pattern].flat());
    const subscriber = new Subscriber({
      log: this.#log,
      topics,
      start: new StartSearch(this.#log, { topics, start: startOf(options) }, this.#clock()),
      openCursor: (position) => this.cursor(topics, position),
      interests: this.#interests,
      tuning: this.tuning,
      meter: this.meter,
      onControl: options.onControl ?? (() => {}),
      onClose: () => this.#subscribers.delete(subscriber),
    });
    this.#subscribers.add(subscriber);
    return subscriber;
  }

  /** Ends the subscriber's iteration; does nothing if it has already ended. */
  unsubscribe(subscriber: Subscriber): void {
    subscriber.close();
  }

  /** For an edge with its own delivery: calls the interest with every matching event from now on. */
  addInterest(interest: Interest): void {
    this.#interests.add(interest);
  }

  removeInterest(interest: Interest): void {
    this.#interests.remove(interest);
  }

  /** A position in the history, after the id `position`. */
  cursor(topics: TopicMatcher, position: number): Cursor {
    return new Cursor(this.#log, topics, position, this.meter);
  }

  /** For an edge with its own delivery: delivers to its members what they request, from their starts on. */
  openGroups<M extends Member>({ transport, replays, openChannel }: EdgeOptions<M>): Groups<M> {
    return new Groups({
      log: this.#log,
      clock: this.#clock,
      openCursor: (topics, position) => this.cursor(topics, position),
      openChannel,
      interests: {
        add: (interest) => this.addInterest(interest),
        remove: (interest) => this.removeInterest(interest),
      },
      replays,
      sweep: this.#sweep,
      tuning: this.tuning,
      meter: this.meter,
      count: (events, bytes) => this.meter.deliver(transport, events, bytes),
    });
  }

  /** The newest `last` events (1 to 10,000) whose topic matches, newest first. Rejects with `pattern_invalid`. */
  async history(last: number = DEFAULT_HISTORY_LIMIT, pattern = "*"): Promise<Event[]> {
    return this.#collect({
      filter: { topics: PatternSet.parse([pattern]) },
      order: "newest",
      limit: checkedLimit(last),
    });
  }

  /** The newest events within a range of time, newest first. Omitted filters do not apply. */
  async historyByTimeRange(range: TimeRange = {}): Promise<Event[]> {
    const { from, to, source, pattern = "*", limit = DEFAULT_HISTORY_LIMIT } = range;
    const filter: Filter = {
      topics: PatternSet.parse([pattern]),
      ...(source === undefined ? {} : { source }),
      ...(from === undefined ? {} : { fromMs: timeOf(from) }),
      ...(to === undefined ? {} : { toMs: timeOf(to) }),
    };
    return this.#collect({ filter, order: "newest", limit: checkedLimit(limit) });
  }

  /**
   * Reads history page by page, at most `limit` events in all; waits for its turn between pages. With `order`
   * `oldest`, throws `cursor_expired` with `oldest`, at once or before any later page, if retention has removed the
   * events that come next: a caller that pages by `after` cannot miss the gap. `after` 0 is the beginning of the
   * history.
   */
  pages(query: HistoryQuery): AsyncGenerator<HistoryPage> {
    this.#refuseWhenStopped();
    if (query.order === "oldest") this.#refuseExpired(query.after ?? 0);
    return this.#pages(query);
  }

  async *#pages(query: HistoryQuery): AsyncGenerator<HistoryPage> {
    let missing = query.limit;
    let position = query.order === "newest" ? (query.before ?? this.#log.head + 1) : (query.after ?? 0);
    const stop = query.order === "newest" ? (query.after ?? 0) + 1 : (query.before ?? Number.POSITIVE_INFINITY) - 1;
    while (missing > 0) {
      if (query.order === "oldest") this.#refuseExpired(position);
      const fitting = Math.floor((query.pageCharacters?.() ?? Number.POSITIVE_INFINITY) / this.#eventCharacters);
      const limit = Math.min(missing, PAGE_EVENTS, Math.max(1, fitting));
      const page =
        query.order === "newest"
          ? this.#log.readBack(query.filter, position, limit)
          : this.#log.read(query.filter, position, limit);
      const within = (id: number) => (query.order === "newest" ? id >= stop : id <= stop);
      const events = page.events.filter((event) => within(event.id));
      if (events.length > 0) this.#eventCharacters = charactersOf(events) / events.length;
      yield { events, damaged: page.damaged.filter(within) };
      missing -= events.length;
      position = page.end;
      if (page.done || !within(position) || position === stop) return;
      await this.#nextTurn();
    }
  }

  /**
   * The event. Throws `not_found` when it never existed, `cursor_expired` with `oldest` when it was pruned. With a
   * limited scope, events outside it are `not_found`. So are pruned events, because it is no longer known whether they
   * were within it.
   */
  event(id: number, scope?: Scope): Event {
    const isLimited = scope !== undefined && !scope.isEverything;
    const event = isLimited ? this.#log.get(id, scope) : this.#log.get(id);
    if (event) return event;
    if (isLimited) throw new BusError("not_found", "there is no event with this id that the token may read");
    if (id > 0 && id < this.#log.floor) {
      throw new BusError("cursor_expired", `event ${id} was pruned: the oldest event kept is ${this.#log.floor}`, {
        members: { oldest: this.#log.floor },
      });
    }
    throw new BusError("not_found", `there is no event ${id}: the newest one is ${this.#log.head}`);
  }

  /**
   * The matching topics in the history, by name (in code point order), page by page; the event loop is free between
   * pages. A topic that is kept throughout is returned exactly once, whatever is published and pruned meanwhile.
   */
  async *topicPages(query: TopicQuery): AsyncGenerator<readonly TopicSummary[]> {
    this.#refuseWhenStopped();
    let missing = query.limit;
    let after = query.after ?? "";
    while (missing > 0) {
      const page = this.#log.topics({ ...query, after, limit: Math.min(missing, PAGE_TOPICS) });
      yield page.topics;
      missing -= page.topics.length;
      after = page.end;
      if (page.done) return;
      await this.#nextTurn();
    }
  }

  /** Every matching topic in the history, by name. Rejects with `pattern_invalid`. */
  async topics(pattern = "*"): Promise<TopicSummary[]> {
    const topics: TopicSummary[] = [];
    const query = { topics: PatternSet.parse([pattern]), limit: Number.POSITIVE_INFINITY };
    for await (const page of this.topicPages(query)) topics.push(...page);
    return topics;
  }

  /** Applies the retention rules now; resolves with the number of events removed. */
  async prune(): Promise<number> {
    this.#refuseWhenStopped();
    return this.#log.prune(this.#retention, this.#ageClock());
  }

  /** Prunes every `intervalMs` milliseconds until `stop`; a second call changes the interval. Does nothing after `stop`. */
  startPruning(intervalMs: number): void {
    clearInterval(this.#pruneTimer);
    if (this.#stopping) return;
    this.#pruneTimer = setInterval(() => {
      this.prune().catch(this.#onPruneError);
    }, intervalMs);
  }

  /** Ends pruning and every subscriber, commits what was accepted, and closes the log. May be called twice. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** The time by the bus's clock, in milliseconds since 1970. */
  get nowMs(): number {
    return this.#clock();
  }

  /** The newest id ever assigned; 0 if there is none. */
  get head(): number {
    return this.#log.head;
  }

  /** The greatest id that a client may know: the head, or any if other nodes share the history. */
  get highestId(): number {
    return this.#log.isShared ? Number.MAX_SAFE_INTEGER : this.#log.head;
  }

  /** The greatest append, in bytes of text; infinite if there is no limit. */
  get maxAppendBytes(): number {
    return this.#log.maxAppendBytes ?? Number.POSITIVE_INFINITY;
  }

  /** The oldest id kept; `head + 1` if there is none. */
  get floor(): number {
    return this.#log.floor;
  }

  /** The size of the history in its storage, in bytes. */
  size(): StorageSize {
    return this.#log.size();
  }

  /** Whether the history can accept a publish, and if not, why. */
  health(): Health {
    return this.#log.health();
  }

  #refuseExpired(after: number): void {
    const { floor } = this.#log;
    if (after === 0 || after >= floor - 1) return;
    throw new BusError("cursor_expired", `events after ${after} were pruned: the oldest event kept is ${floor}`, {
      members: { oldest: floor },
    });
  }

  #refuseWhenStopped(): void {
    if (this.#stopping) throw new BusError("shutting_down", "the bus is stopped");
  }

  async #stop(): Promise<void> {
    clearInterval(this.#pruneTimer);
    for (const subscriber of [...this.#subscribers]) subscriber.close();
    await this.#log.close();
  }

  async #collect(query: HistoryQuery): Promise<Event[]> {
    const events: Event[] = [];
    for await (const page of this.pages(query)) events.push(...page.events);
    return events;
  }
}

function charactersOf(events: readonly Event[]): number {
  return events.reduce((sum, { json }) => sum + json.length, 0);
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
