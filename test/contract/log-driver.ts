import type { Event } from "../../src/bus/event.ts";
import { type RawJson, toRawJson } from "../../src/bus/json.ts";
import type { Draft, EventLog, Filter, Page, TopicMatcher, TopicQuery } from "../../src/bus/ports.ts";
import { parseTopic } from "../../src/bus/topic.ts";
import type { TopicSummary } from "../../src/protocol/event.ts";

export function draft(topic: string, data: unknown = null, source = ""): Draft {
  return { topic: parseTopic(topic), data: toRawJson(data), source };
}

/** A draft whose data is this text, to the letter. */
export function rawDraft(topic: string, json: string): Draft {
  return { topic: parseTopic(topic), data: json as RawJson, source: "" };
}

export function drafts(count: number, topic = "a"): Draft[] {
  return Array.from({ length: count }, (_, index) => draft(topic, index));
}

/** Appends events of these topics one by one, each in its own append. */
export async function appendEach(log: EventLog, topics: readonly string[]): Promise<Event[]> {
  const appended = await Promise.all(topics.map((topic) => log.append([draft(topic)])));
  return appended.flatMap(({ events }) => events);
}

export function startingWith(prefix: string): TopicMatcher {
  return { matches: (topic) => topic.startsWith(prefix), ranges: [{ prefix, isWhole: false }] };
}

/** Reads upwards page by page until there is nothing more. */
export function readAll(log: EventLog, filter: Filter = {}, after = 0, limit = 1000): Event[] {
  return eventsOf(walk((from) => log.read(filter, from, limit), after));
}

/** Reads downwards page by page until there is nothing more. */
export function readAllBack(log: EventLog, filter: Filter = {}, before = Infinity, limit = 1000): Event[] {
  return eventsOf(walk((from) => log.readBack(filter, from, limit), before));
}

/** The topics of the whole log, page by page. */
export function topicsOf(log: EventLog, query: Partial<TopicQuery> = {}, limit = 1000): TopicSummary[] {
  const topics: TopicSummary[] = [];
  let after = query.after ?? "";
  for (;;) {
    const page = log.topics({ ...query, after, limit });
    topics.push(...page.topics);
    if (page.done) return topics;
    after = page.end;
  }
}

export function* walk(read: (from: number) => Page, start: number): Generator<Page> {
  let from = start;
  while (true) {
    const page = read(from);
    yield page;
    if (page.done) return;
    if (page.end === from) throw new Error(`the search stands still at ${from}`);
    from = page.end;
  }
}

export function idsOf(events: readonly Event[]): number[] {
  return events.map(({ id }) => id);
}

/** The whole numbers from `first` to `last`, both included. */
export function range(first: number, last: number): number[] {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index);
}

function eventsOf(pages: Iterable<Page>): Event[] {
  return [...pages].flatMap(({ events }) => events);
}
