import { Elysia } from "elysia";
import type { Bus } from "../bus/bus.ts";
import { BusError } from "../bus/errors.ts";
import { DATA_HEADERS, json } from "./answer.ts";
import { topicsDocs } from "./docs/history.ts";
import { healthDocs, metricsDocs, pruneDocs, readyDocs, statsDocs } from "./docs/operate.ts";
import { documented } from "./docs/route.ts";
import type { Gate } from "./gate.ts";
import { problemResponse } from "./problem.ts";
import { noQuery } from "./query.ts";
import { topics, topicsQuery } from "./topics.ts";

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
