import { Elysia } from "elysia";
import type { Bus } from "../bus/bus.ts";
import { BusError } from "../bus/errors.ts";
import { parsePattern } from "../bus/pattern.ts";
import { PatternSet } from "../bus/pattern-set.ts";
import { DATA_HEADERS, json } from "./answer.ts";
import { topicsDocs } from "./docs/history.ts";
import { healthDocs, metricsDocs, pruneDocs, readyDocs, statsDocs } from "./docs/operate.ts";
import { documented } from "./docs/route.ts";
import type { Gate } from "./gate.ts";
import { problemResponse } from "./problem.ts";
import { MAX_PATTERNS_ASKED, noQuery, Query, repeatable, text } from "./query.ts";

const topicsQuery = new Query({
  pattern: repeatable(
    text(parsePattern, "A pattern that the topic must match.", { maxLength: 256, default: "*" }),
    MAX_PATTERNS_ASKED,
  ),
});

export const PRUNE_PATH = "/api/events/prune";

/** What the service says of itself beside what the bus knows. */
export interface ServiceState {
  stats(): object;
  /** What Prometheus reads. */
  readonly metrics: { readonly contentType: string; text(): Promise<string> };
  /** Why this server should get no publishes now, or undefined when it should. */
  notReady(): BusError | undefined;
}

/** What operators ask: prune, topics, stats, health. */
export function adminRoutes(bus: Bus, service: ServiceState, gate: Gate) {
  return new Elysia()
    .post(PRUNE_PATH, ({ request }) => prune(bus, request), documented(pruneDocs))
    .get("/api/topics", ({ request }) => topics(bus, request), documented(topicsDocs, topicsQuery))
    .get("/api/stats", ({ request }) => stats(service, request), documented(statsDocs))
    .get("/metrics", ({ request }) => metrics(service, request), documented(metricsDocs))
    .get("/healthz", ({ request }) => alive(request), documented(healthDocs))
    .get("/readyz", ({ request }) => ready(service, request, gate), documented(readyDocs));
}

async function prune(bus: Bus, request: Request): Promise<Response> {
  noQuery.read(request.url);
  return json({ pruned: await bus.prune() });
}

async function topics(bus: Bus, request: Request): Promise<Response> {
  const { pattern } = topicsQuery.read(request.url);
  const query = { ...(pattern.length > 0 && { topics: new PatternSet(pattern) }), limit: Number.POSITIVE_INFINITY };
  return json((await Array.fromAsync(bus.topicPages(query))).flat());
}

function stats(service: ServiceState, request: Request): Response {
  noQuery.read(request.url);
  return json(service.stats());
}

async function metrics({ metrics }: ServiceState, request: Request): Promise<Response> {
  noQuery.read(request.url);
  const headers = { "Content-Type": metrics.contentType, ...DATA_HEADERS };
  return new Response(await metrics.text(), { headers });
}

function alive(request: Request): Response {
  noQuery.read(request.url);
  return json({ status: "ok" });
}

/** Everybody may ask; what is wrong in particular, only those who could ask for everything else. */
function ready(service: ServiceState, request: Request, gate: Gate): Response {
  noQuery.read(request.url);
  const reason = service.notReady();
  if (reason === undefined) return json({ status: "ready" });
  return problemResponse(
    gate.isOpen ? reason : new BusError(reason.code, "the server cannot take a publish: see its log"),
  );
}
