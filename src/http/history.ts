import { type Bus, DEFAULT_HISTORY_LIMIT, type HistoryQuery, MAX_HISTORY_LIMIT } from "../bus/bus.ts";
import { BusError } from "../bus/errors.ts";
import type { Event } from "../bus/event.ts";
import type { Pattern } from "../bus/pattern.ts";
import { PatternSet } from "../bus/pattern-set.ts";
import type { Filter } from "../bus/ports.ts";
import { type Scope, within } from "../bus/scope.ts";
import { parseSource } from "../bus/topic.ts";
import { prefersLines } from "./accept.ts";
import { DATA_HEADERS, jsonText, NDJSON_TYPE } from "./answer.ts";
import { eventDocs, historyDocs } from "./docs/history.ts";
import { nextLink } from "./next-link.ts";
import { integer, MAX_ID, MAX_PATTERNS_ASKED, patternParameter, Query, text, time, type ValuesOf } from "./query.ts";
import { type Route, route } from "./route.ts";

const historyQuery = new Query({
  last: integer(1, MAX_HISTORY_LIMIT, "The most events to answer with.", DEFAULT_HISTORY_LIMIT),
  topic: patternParameter(MAX_PATTERNS_ASKED),
  from: time("Earliest `created_at`, inclusive."),
  to: time("Latest `created_at`, inclusive."),
  source: text(parseSource, "The source, exactly.", { maxLength: 255 }),
  before: integer(0, MAX_ID, "Only events with a smaller id."),
  after: integer(0, MAX_ID, "Only events with a greater id; the oldest of them come first."),
});

/** A JSON array with more than this is streamed: 10,000 events of 1 MiB would not fit into the memory of most machines. */
const MAX_HELD_CHARACTERS = 8 * 1024 * 1024;
/** Damaged events that a header names; of more than these the first ones tell enough. */
const MAX_DAMAGED_NAMED = 100;

/** `GET /api/events/history` and `GET /api/events/{id}`. */
export function historyRoutes(bus: Bus): Route[] {
  return [
    route({
      method: "GET",
      path: "/api/events/history",
      access: "subscribe",
      query: historyQuery,
      docs: historyDocs,
      handle: ({ request, caller, query }) => history(bus, request, toHistoryQuery(query, caller.subscribe)),
    }),
    route({
      method: "GET",
      path: "/api/events/:id",
      access: "subscribe",
      docs: eventDocs,
      handle: ({ caller, segment }) => event(bus, segment, caller.subscribe),
    }),
  ];
}

function event(bus: Bus, id: string, scope: Scope): Response {
  if (!/^[1-9]\d{0,15}$/.test(id) || Number(id) > MAX_ID) {
    throw new BusError("not_found", "there is no such event: an id is a whole number from 1 on");
  }
  return jsonText(bus.event(Number(id), scope).json);
}

async function history(bus: Bus, request: Request, asked: HistoryQuery): Promise<Response> {
  const query = pinned(asked, bus.head);
  if (prefersLines(request, "application/json")) {
    return new Response(stream(bus.pages(query), asLines), {
      headers: { "Content-Type": NDJSON_TYPE, ...DATA_HEADERS },
    });
  }
  const { lastId, hasMore, damaged, texts } = await look(bus, query);
  const headers: Record<string, string> = {};
  if (hasMore) headers["Link"] = nextPage(request.url, query, lastId);
  if (damaged.length > 0) headers["Eventbus-Damaged"] = damaged.slice(0, MAX_DAMAGED_NAMED).join(",");
  if (texts !== undefined) return jsonText(`[${texts.join(",")}]`, headers);
  return jsonText(stream(bus.pages(upTo(query, lastId)), asArray), headers);
}

function toHistoryQuery(values: ValuesOf<typeof historyQuery>, scope: Scope): HistoryQuery {
  const { last, topic, from, to, source, before, after } = values;
  const filter: Filter = {
    ...topicsOf(topic, scope),
    ...(source[0] === undefined ? {} : { source: source[0] }),
    ...(from[0] === undefined ? {} : { fromMs: from[0] }),
    ...(to[0] === undefined ? {} : { toMs: to[0] }),
  };
  return {
    filter,
    order: after[0] === undefined ? "newest" : "oldest",
    limit: last[0] ?? DEFAULT_HISTORY_LIMIT,
    ...(before[0] === undefined ? {} : { before: before[0] }),
    ...(after[0] === undefined ? {} : { after: after[0] }),
  };
}

/** What is asked for, as far as it may be seen; nothing where that is everything. */
function topicsOf(patterns: readonly Pattern[], scope: Scope): Pick<Filter, "topics"> {
  if (patterns.length > 0) return { topics: within(scope, new PatternSet(patterns)) };
  return scope.isEverything ? {} : { topics: scope };
}

/** The same question, but about nothing that is published from now on: it may be asked twice. */
function pinned(query: HistoryQuery, head: number): HistoryQuery {
  return { ...query, before: Math.min(query.before ?? head + 1, head + 1) };
}

/** The same question about no event after this one, in the order asked for. */
function upTo(query: HistoryQuery, lastId: number): HistoryQuery {
  return query.order === "newest" ? { ...query, after: lastId - 1 } : { ...query, before: lastId + 1 };
}

/** What the answer to a question is, known before it is sent. */
interface Found {
  /** The last event of the answer. */
  readonly lastId: number;
  readonly hasMore: boolean;
  readonly damaged: readonly number[];
  /** The events as JSON; undefined when they are too much to be held. */
  readonly texts: readonly string[] | undefined;
}

async function look(bus: Bus, query: HistoryQuery): Promise<Found> {
  const texts: string[] = [];
  const damaged: number[] = [];
  let [count, lastId, characters] = [0, 0, 0];
  // One more than asked for tells whether there is a next page.
  for await (const page of bus.pages({ ...query, limit: query.limit + 1 })) {
    damaged.push(...page.damaged);
    for (const event of page.events) {
      if (++count > query.limit) break;
      lastId = event.id;
      characters += event.json.length;
      if (characters <= MAX_HELD_CHARACTERS) texts.push(event.json);
      else texts.length = 0;
    }
  }
  return { lastId, hasMore: count > query.limit, damaged, texts: characters > MAX_HELD_CHARACTERS ? undefined : texts };
}

/** What stands around the events in a stream of them. */
interface Surroundings {
  readonly beforeFirst: string;
  readonly beforeNext: string;
  readonly afterEach: string;
  readonly end: string;
}

const asLines: Surroundings = { beforeFirst: "", beforeNext: "", afterEach: "\n", end: "" };
const asArray: Surroundings = { beforeFirst: "[", beforeNext: ",", afterEach: "", end: "]" };

/** Streams the events page by page, read as fast as the client takes them. */
function stream(pages: AsyncGenerator<{ events: readonly Event[] }>, around: Surroundings): ReadableStream<Uint8Array> {
  let before = around.beforeFirst;
  return new ReadableStream(
    {
      async pull(controller) {
        for (;;) {
          const { done, value } = await pages.next();
          if (done) {
            const rest = before === around.beforeFirst ? around.beforeFirst + around.end : around.end;
            if (rest !== "") controller.enqueue(encoder.encode(rest));
            return controller.close();
          }
          if (value.events.length === 0) continue;
          const text = value.events.map((event) => event.json).join(around.afterEach + around.beforeNext);
          controller.enqueue(encoder.encode(before + text + around.afterEach));
          before = around.beforeNext;
          return;
        }
      },
      async cancel() {
        await pages.return(undefined);
      },
    },
    { highWaterMark: 0 },
  );
}
const encoder = new TextEncoder();

/** Where the answer that ends with this event goes on. */
function nextPage(url: string, { order }: HistoryQuery, lastId: number): string {
  return nextLink(url, order === "newest" ? "before" : "after", String(lastId));
}
