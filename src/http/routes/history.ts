import { type Scope, within } from "../../bus/access/scope.ts";
import type { Bus, HistoryQuery } from "../../bus/bus.ts";
import { BusError } from "../../bus/errors.ts";
import { DEFAULT_HISTORY_LIMIT, MAX_HISTORY_LIMIT } from "../../bus/options.ts";
import type { Pattern } from "../../bus/patterns/pattern.ts";
import { PatternSet } from "../../bus/patterns/pattern-set.ts";
import type { Filter } from "../../bus/ports.ts";
import { momentMs } from "../../bus/start.ts";
import { parseSource } from "../../bus/topic.ts";
import { eventDocs, historyDocs } from "../docs/history.ts";
import { tooManyPatterns } from "../limits/subscriber-limits.ts";
import type { Waiting } from "../limits/waiting.ts";
import { prefersLines } from "../request/accept.ts";
import { requireAssigned } from "../request/assigned-id.ts";
import {
  integer,
  MAX_ID,
  MAX_PATTERNS_ASKED,
  moment,
  patternParameter,
  Query,
  text,
  type ValuesOf,
} from "../request/query.ts";
import { DATA_HEADERS, jsonText, NDJSON_TYPE } from "../response/answer.ts";
import { HistoryAnswers } from "../response/history-answer.ts";
import { nextLink } from "../response/next-link.ts";
import { type Route, route } from "./route.ts";

const historyQuery = new Query({
  last: integer(1, MAX_HISTORY_LIMIT, "The maximum number of events to return.", DEFAULT_HISTORY_LIMIT),
  topic: patternParameter(MAX_PATTERNS_ASKED),
  pattern: patternParameter(MAX_PATTERNS_ASKED, "The same as `topic`."),
  from: moment("Earliest `created_at`, inclusive."),
  to: moment("Latest `created_at`, inclusive."),
  source: text(parseSource, "Only events with exactly this source.", { maxLength: 255 }),
  before: integer(0, MAX_ID, "Only events with a smaller id."),
  after: integer(
    0,
    MAX_ID,
    "Only events with a greater id; the oldest of them come first. An id above the newest one is rejected.",
  ),
});

/** Maximum number of damaged events that a header names; more would add nothing. */
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
      handle: ({ request, caller, query }) => {
        requireAssigned("after", query.after[0] ?? 0, bus.highestId);
        return history(answers, request, pinned(toHistoryQuery(query, caller.subscribe, bus.nowMs), bus.head));
      },
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
    throw new BusError("not_found", "there is no such event: an id is a whole number, 1 or greater");
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

function toHistoryQuery(values: ValuesOf<typeof historyQuery>, scope: Scope, nowMs: number): HistoryQuery {
  const { last, topic, pattern, from, to, source, before, after } = values;
  if (topic.length + pattern.length > MAX_PATTERNS_ASKED) throw tooManyPatterns(MAX_PATTERNS_ASKED);
  const fromMs = from[0] && momentMs(from[0], nowMs);
  const toMs = to[0] && momentMs(to[0], nowMs);
  if (fromMs !== undefined && toMs !== undefined && fromMs > toMs) {
    throw new BusError("parameter_invalid", "from must not be after to", { members: { parameter: "from" } });
  }
  const filter: Filter = {
    ...topicsOf([...topic, ...pattern], scope),
    ...(source[0] === undefined ? {} : { source: source[0] }),
    ...(fromMs === undefined ? {} : { fromMs }),
    ...(toMs === undefined ? {} : { toMs }),
  };
  return {
    filter,
    order: after[0] === undefined ? "newest" : "oldest",
    limit: last[0] ?? DEFAULT_HISTORY_LIMIT,
    ...(before[0] === undefined ? {} : { before: before[0] }),
    ...(after[0] === undefined ? {} : { after: after[0] }),
  };
}

/** The requested topics within the scope; undefined if these are all topics. */
function topicsOf(patterns: readonly Pattern[], scope: Scope): Pick<Filter, "topics"> {
  if (patterns.length > 0) return { topics: within(scope, new PatternSet(patterns)) };
  return scope.isEverything ? {} : { topics: scope };
}

/** The same query, without events published from now on, so that it can be repeated. */
function pinned(query: HistoryQuery, head: number): HistoryQuery {
  return { ...query, before: Math.min(query.before ?? head + 1, head + 1) };
}

/**
 * The page after the one that ends with this event. A duration in the query still counts from the time of the first
 * page.
 */
function nextPage(url: string, { order, filter: { fromMs, toMs } }: HistoryQuery, lastId: number): string {
  return nextLink(url, {
    [order === "newest" ? "before" : "after"]: String(lastId),
    ...(fromMs === undefined ? {} : { from: new Date(fromMs).toISOString() }),
    ...(toMs === undefined ? {} : { to: new Date(toMs).toISOString() }),
  });
}
