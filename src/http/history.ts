import type { Bus, HistoryQuery } from "../bus/bus.ts";
import { BusError } from "../bus/errors.ts";
import { DEFAULT_HISTORY_LIMIT, MAX_HISTORY_LIMIT } from "../bus/options.ts";
import type { Pattern } from "../bus/pattern.ts";
import { PatternSet } from "../bus/pattern-set.ts";
import type { Filter } from "../bus/ports.ts";
import { type Scope, within } from "../bus/scope.ts";
import { parseSource } from "../bus/topic.ts";
import { prefersLines } from "./accept.ts";
import { DATA_HEADERS, jsonText, NDJSON_TYPE } from "./answer.ts";
import { eventDocs, historyDocs } from "./docs/history.ts";
import { HistoryAnswers } from "./history-answer.ts";
import { nextLink } from "./next-link.ts";
import { integer, MAX_ID, MAX_PATTERNS_ASKED, patternParameter, Query, text, time, type ValuesOf } from "./query.ts";
import { type Route, route } from "./route.ts";
import type { Waiting } from "./waiting.ts";

const historyQuery = new Query({
  last: integer(1, MAX_HISTORY_LIMIT, "The most events to answer with.", DEFAULT_HISTORY_LIMIT),
  topic: patternParameter(MAX_PATTERNS_ASKED),
  from: time("Earliest `created_at`, inclusive."),
  to: time("Latest `created_at`, inclusive."),
  source: text(parseSource, "The source, exactly.", { maxLength: 255 }),
  before: integer(0, MAX_ID, "Only events with a smaller id."),
  after: integer(0, MAX_ID, "Only events with a greater id; the oldest of them come first."),
});

/** Damaged events that a header names; of more than these the first ones tell enough. */
const MAX_DAMAGED_NAMED = 100;

/** `GET /api/events/history` and `GET /api/events/{id}`. */
export function historyRoutes(bus: Bus, waiting: Waiting): Route[] {
  const answers = new HistoryAnswers(bus, waiting);
  return [
    route({
      method: "GET",
      path: "/api/events/history",
      access: "subscribe",
      query: historyQuery,
      docs: historyDocs,
      handle: ({ request, caller, query }) =>
        history(answers, request, pinned(toHistoryQuery(query, caller.subscribe), bus.head)),
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

async function history(answers: HistoryAnswers, request: Request, query: HistoryQuery): Promise<Response> {
  if (prefersLines(request, "application/json")) {
    return new Response(answers.lines(query), { headers: { "Content-Type": NDJSON_TYPE, ...DATA_HEADERS } });
  }
  const { body, lastId, hasMore, damaged } = await answers.array(query, request);
  return jsonText(body, {
    ...(hasMore && { Link: nextPage(request.url, query, lastId) }),
    ...(damaged.length > 0 && { "Eventbus-Damaged": damaged.slice(0, MAX_DAMAGED_NAMED).join(",") }),
  });
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

/** Where the answer that ends with this event goes on. */
function nextPage(url: string, { order }: HistoryQuery, lastId: number): string {
  return nextLink(url, order === "newest" ? "before" : "after", String(lastId));
}
