import type { Database, Statement } from "bun:sqlite";
import { SeriesName } from "../bus/event.ts";
import type { Filter, TopicMatcher } from "../bus/ports.ts";
import type { Topic } from "../bus/topic.ts";

/** A topic and a source that events share, and what is known of those events. */
export class Series extends SeriesName {
  readonly id: number;
  /** Events that history keeps. */
  count: number;
  lastId: number;
  /** The last id that the stored count includes. */
  countedTo: number;

  constructor(id: number, topic: Topic, source: string, count: number, lastId: number) {
    super(topic, source);
    this.id = id;
    this.count = count;
    this.lastId = lastId;
    this.countedTo = lastId;
  }
}

/**
 * Every series of the history, in memory: topics and sources are few beside events, so a pattern is matched against
 * these and never against events. Costs about 300 bytes a series.
 */
export class SeriesTable {
  readonly #byId = new Map<number, Series>();
  readonly #byTopic = new Map<string, Map<string, Series>>();
  readonly #insert: Statement;
  /** What each matcher selected, true while `#version` stays. */
  readonly #selections = new WeakMap<TopicMatcher, { version: number; series: ReadonlySet<Series> }>();
  #version = 0;
  #nextId = 1;

  constructor(database: Database) {
    this.#insert = database.prepare("insert into series values (?, ?, ?, 0, 0)");
    const rows = database.query("select id, topic, source, count, last_id from series").values();
    for (const row of rows as [number, Topic, string, number, number][]) this.#add(new Series(...row));
  }

  get size(): number {
    return this.#byId.size;
  }

  get(id: number): Series | undefined {
    return this.#byId.get(id);
  }

  find(topic: string, source: string): Series | undefined {
    return this.#byTopic.get(topic)?.get(source);
  }

  all(): IterableIterator<Series> {
    return this.#byId.values();
  }

  /** Makes a series, in memory and in the transaction that is open. After a rollback, call `forget`. */
  create(topic: Topic, source: string): Series {
    // Copies: a slice would keep the whole request that it was cut from in memory.
    const series = new Series(this.#nextId, structuredClone(topic), structuredClone(source), 0, 0);
    this.#insert.run(series.id, topic, source);
    this.#add(series);
    return series;
  }

  /** Drops the series from memory. */
  forget(series: Series): void {
    this.#version++;
    this.#byId.delete(series.id);
    const ofTopic = this.#byTopic.get(series.topic);
    ofTopic?.delete(series.source);
    if (ofTopic?.size === 0) this.#byTopic.delete(series.topic);
  }

  /** The series whose events pass the topic and source tests of the filter. */
  select(filter: Filter): ReadonlySet<Series> {
    const ofTopics = this.#selectTopics(filter.topics);
    if (filter.source === undefined) return ofTopics;
    return new Set([...ofTopics].filter((series) => series.source === filter.source));
  }

  /** Every kept topic with its series, in no order. */
  topics(): IterableIterator<[string, Map<string, Series>]> {
    return this.#byTopic.entries();
  }

  #selectTopics(matcher: TopicMatcher = everyTopic): ReadonlySet<Series> {
    const known = this.#selections.get(matcher);
    if (known?.version === this.#version) return known.series;
    const series = new Set<Series>();
    for (const [topic, ofTopic] of this.#byTopic) {
      if (!matcher.matches(topic)) continue;
      for (const one of ofTopic.values()) series.add(one);
    }
    this.#selections.set(matcher, { version: this.#version, series });
    return series;
  }

  #add(series: Series): void {
    this.#version++;
    this.#nextId = Math.max(this.#nextId, series.id + 1);
    this.#byId.set(series.id, series);
    const ofTopic = this.#byTopic.get(series.topic);
    if (ofTopic) ofTopic.set(series.source, series);
    else this.#byTopic.set(series.topic, new Map([[series.source, series]]));
  }
}

const everyTopic: TopicMatcher = { matches: () => true };
