import { Elysia } from "elysia";
import { type Bus, DEFAULT_HISTORY_LIMIT, type HistoryQuery, MAX_HISTORY_LIMIT } from "../bus/bus.ts";
import { BusError } from "../bus/errors.ts";
import type { Event } from "../bus/event.ts";
import { parsePattern } from "../bus/pattern.ts";
import { PatternSet } from "../bus/pattern-set.ts";
import type { Filter } from "../bus/ports.ts";
import { parseSource } from "../bus/topic.ts";
import { jsonText, NDJSON_TYPE, pathOf, wantsLines } from "./answer.ts";
import { eventDocs, historyDocs } from "./docs/history.ts";
import { documented } from "./docs/route.ts";
import { integer, MAX_ID, noQuery, Query, repeatable, text, time } from "./query.ts";

export const historyQuery = new Query({
  last: integer(1, MAX_HISTORY_LIMIT, "The most events to answer with.", DEFAULT_HISTORY_LIMIT),
  topic: repeatable(text(parsePattern, "A pattern that the topic must match.", { maxLength: 256, default: "*" })),
  from: time("Earliest `created_at`, inclusive."),
  to: time("Latest `created_at`, inclusive."),
  source: text(parseSource, "The source, exactly.", { maxLength: 255 }),
  before: integer(0, MAX_ID, "Only events with a smaller id."),
  after: integer(0, MAX_ID, "Only events with a greater id; the oldest of them come first."),
});

/** `GET /api/events/history` and `GET /api/events/{id}`. */
export function historyRoutes(bus: Bus) {
  return new Elysia()
    .get("/api/events/history", ({ request }) => history(bus, request), documented(historyDocs, historyQuery))
    .get("/api/events/:id", ({ request }) => event(bus, request), documented(eventDocs));
}

function event(bus: Bus, request: Request): Response {
  noQuery.read(request.url);
  const path = pathOf(request.url);
  const id = path.slice(path.lastIndexOf("/") + 1);
  if (!/^\d{1,16}$/.test(id) || Number(id) > MAX_ID) {
    throw new BusError("not_found", "there is no such event: an id is a whole number from 1 on");
  }
  return jsonText(bus.event(Number(id)).json);
}

async function history(bus: Bus, request: Request): Promise<Response> {
  const query = readHistoryQuery(request.url);
  // One more than asked for tells whether there is a next page.
  const pages = bus.pages({ ...query, limit: query.limit + 1 });
  if (wantsLines(request)) return new Response(lines(pages, query.limit), { headers: { "Content-Type": NDJSON_TYPE } });
  const events: Event[] = [];
  const damaged: number[] = [];
  for await (const page of pages) {
    events.push(...page.events);
    damaged.push(...page.damaged);
  }
  const shown = events.slice(0, query.limit);
  const headers: Record<string, string> = {};
  const last = shown.at(-1);
  if (events.length > shown.length && last) headers["Link"] = `<${nextPage(request.url, query, last.id)}>; rel="next"`;
  if (damaged.length > 0) headers["Eventbus-Damaged"] = damaged.slice(0, 100).join(",");
  return jsonText(`[${shown.map((one) => one.json).join(",")}]`, headers);
}

function readHistoryQuery(url: string): HistoryQuery {
  const { last, topic, from, to, source, before, after } = historyQuery.read(url);
  const filter: Filter = {
    ...(topic.length === 0 ? {} : { topics: new PatternSet(topic) }),
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

/** Streams a line an event, read as fast as the client takes them. */
function lines(pages: AsyncGenerator<{ events: readonly Event[] }>, limit: number): ReadableStream<Uint8Array> {
  let missing = limit;
  const encoder = new TextEncoder();
  return new ReadableStream(
    {
      async pull(controller) {
        for (;;) {
          const { done, value } = await pages.next();
          const events = done ? [] : value.events.slice(0, missing);
          missing -= events.length;
          if (events.length > 0) controller.enqueue(encoder.encode(events.map((event) => `${event.json}\n`).join("")));
          if (done || missing === 0) return controller.close();
          if (events.length > 0) return;
        }
      },
      async cancel() {
        await pages.return(undefined);
      },
    },
    { highWaterMark: 0 },
  );
}

/** The same question, asked from where this answer ends; relative, so that it holds behind any proxy. */
function nextPage(url: string, query: HistoryQuery, lastId: number): string {
  const start = url.indexOf("?");
  const search = new URLSearchParams(start === -1 ? "" : url.slice(start + 1));
  search.set(query.order === "newest" ? "before" : "after", String(lastId));
  return `${pathOf(url)}?${search}`;
}
