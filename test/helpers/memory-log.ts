import { BusError } from "../../src/bus/errors.ts";
import { Event, formatTime, SeriesName } from "../../src/bus/event.ts";
import type {
  Appended,
  AppendOptions,
  Draft,
  EventLog,
  Filter,
  Health,
  Page,
  Retention,
  StorageSize,
  TopicMatcher,
  TopicPage,
  TopicQuery,
} from "../../src/bus/ports.ts";
import type { TopicSummary } from "../../src/protocol/event.ts";

const REMEMBERED_MS = 600_000;

interface Entry {
  readonly event: Event;
  readonly atMs: number;
}

/** The simplest `EventLog` that is right: an array. Keeps nothing. */
export class MemoryEventLog implements EventLog {
  readonly #clock: () => number;
  readonly #listeners: ((batch: readonly Event[]) => void)[] = [];
  readonly #keys = new Map<string, { body: string; atMs: number; events: Event[] }>();
  #kept: Entry[] = [];
  #lastAtMs = 0;
  #isClosed = false;
  head = 0;

  constructor(clock: () => number = Date.now) {
    this.#clock = clock;
  }

  get floor(): number {
    return this.head - this.#kept.length + 1;
  }

  get recentFrom(): number {
    return this.floor;
  }

  async append(drafts: readonly Draft[], { idempotencyKey }: AppendOptions = {}): Promise<Appended> {
    if (this.#isClosed) throw new BusError("shutting_down", "the log is closed");
    const atMs = Math.max(this.#clock(), this.#lastAtMs);
    const body = JSON.stringify(drafts);
    const known = idempotencyKey === undefined ? undefined : this.#keys.get(idempotencyKey);
    if (known && atMs - known.atMs <= REMEMBERED_MS) {
      if (known.body !== body) throw new BusError("idempotency_conflict", "the key was used with another body");
      return { events: known.events, replayed: true };
    }
    const events = drafts.map((draft) => this.#add(draft, atMs));
    if (idempotencyKey !== undefined) this.#keys.set(idempotencyKey, { body, atMs, events });
    if (events.length > 0) for (const listener of this.#listeners) listener(events);
    return { events, replayed: false };
  }

  onCommit(listener: (batch: readonly Event[]) => void): void {
    this.#listeners.push(listener);
  }

  read(filter: Filter, after: number, limit: number): Page {
    const found = this.#kept.filter((entry) => entry.event.id > after && isWanted(entry, filter));
    return pageOf(found, limit, Math.max(after, this.head));
  }

  readBack(filter: Filter, before: number, limit: number): Page {
    const found = this.#kept.filter((entry) => entry.event.id < before && isWanted(entry, filter));
    return pageOf(found.reverse(), limit, Math.min(before, this.floor));
  }

  get(id: number, topics?: TopicMatcher): Event | undefined {
    return this.#kept.find(({ event }) => event.id === id && topics?.matches(event.topic) !== false)?.event;
  }

  idBefore(timeMs: number): number {
    return this.#kept.findLast(({ atMs }) => atMs < timeMs)?.event.id ?? this.floor - 1;
  }

  topics({ topics, after = "", limit }: TopicQuery): TopicPage {
    const isAsked = (topic: string) => byCodePoint(topic, after) > 0 && topics?.matches(topic) !== false;
    const found = this.#summaries().filter(({ topic }) => isAsked(topic));
    const page = found.slice(0, limit);
    return { topics: page, end: page.at(-1)?.topic ?? after, done: page.length === found.length };
  }

  #summaries(): TopicSummary[] {
    const byTopic = Map.groupBy(this.#kept, ({ event }) => event.topic);
    const summaries = [...byTopic].map(([topic, entries]) => {
      const last = entries.at(-1)?.event;
      return { topic, count: entries.length, last_id: last?.id ?? 0, last_at: last?.created_at ?? "" };
    });
    return summaries.sort((a, b) => byCodePoint(a.topic, b.topic));
  }

  async prune({ maxHistory, maxAgeMs, maxBytes }: Retention, nowMs: number): Promise<number> {
    const before = this.#kept.length;
    if (maxHistory !== undefined) this.#kept = this.#kept.slice(Math.max(0, before - maxHistory));
    if (maxAgeMs !== undefined) this.#kept = this.#kept.filter(({ atMs }) => atMs >= nowMs - maxAgeMs);
    while (maxBytes !== undefined && this.#kept.length > 0 && this.size().usedBytes > maxBytes) this.#kept.shift();
    return before - this.#kept.length;
  }

  size(): StorageSize {
    const bytes = this.#kept.reduce((sum, { event }) => sum + Buffer.byteLength(event.json), 0);
    return { usedBytes: bytes, fileBytes: bytes };
  }

  health(): Health {
    return this.#isClosed ? { state: "closed", detail: "the log is closed" } : { state: "ok" };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
  }

  #add({ topic, source, data }: Draft, atMs: number): Event {
    const event = new Event(++this.head, new SeriesName(topic, source), formatTime(atMs), data);
    this.#kept.push({ event, atMs });
    this.#lastAtMs = atMs;
    return event;
  }
}

/** The order of UTF-8 bytes, and not that of UTF-16 units, in which U+10000 comes before U+E000. */
function byCodePoint(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function isWanted({ event, atMs }: Entry, { topics, source, fromMs, toMs }: Filter): boolean {
  if (topics?.matches(event.topic) === false || (source !== undefined && event.source !== source)) return false;
  return atMs >= (fromMs ?? atMs) && atMs <= (toMs ?? atMs);
}

function pageOf(found: readonly Entry[], limit: number, end: number): Page {
  const events = found.slice(0, limit).map(({ event }) => event);
  const done = events.length === found.length;
  return { events, done, end: done ? end : (events.at(-1)?.id ?? end), damaged: [] };
}
