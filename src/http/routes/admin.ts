import type { Bus } from "../../bus/bus.ts";
import { BusError } from "../../bus/errors.ts";
import type { Gate } from "../access/gate.ts";
import { healthDocs, metricsDocs, pruneDocs, readyDocs, statsDocs } from "../docs/operate.ts";
import { DATA_HEADERS, json } from "../response/answer.ts";
import { problemResponse } from "../response/problem.ts";
import { type Route, route } from "./route.ts";

/**
 * Pruning responds when it is done, which takes minutes in a huge history. This is the longest time that Bun accepts.
 */
const PRUNE_SECONDS = 255;

/** The state of the service, besides that of the bus. */
export interface ServiceState {
  stats(): object;
  /** The metrics for Prometheus. */
  readonly metrics: { readonly contentType: string; text(): Promise<string> };
  /** The reason why this server should get no publishes now; undefined if it should. */
  notReady(): BusError | undefined;
}

/** Routes for operators: prune, stats, metrics, health. */
export function adminRoutes(bus: Bus, service: ServiceState, gate: Gate): Route[] {
  return [
    route({
      method: "POST",
      path: "/api/events/prune",
      access: "admin",
      maxSeconds: PRUNE_SECONDS,
      docs: pruneDocs,
      handle: async () => json({ pruned: await bus.prune() }),
    }),
    route({
      method: "GET",
      path: "/api/stats",
      access: "monitor",
      docs: statsDocs,
      handle: () => json(service.stats()),
    }),
    route({
      method: "GET",
      path: "/metrics",
      access: "monitor",
      docs: metricsDocs,
      handle: () => metrics(service),
    }),
    route({
      method: "GET",
      path: "/healthz",
      access: "public",
      docs: healthDocs,
      handle: () => json({ status: "ok" }),
    }),
    route({
      method: "GET",
      path: "/readyz",
      access: "public",
      docs: readyDocs,
      handle: () => ready(service, gate),
    }),
  ];
}

async function metrics({ metrics }: ServiceState): Promise<Response> {
  const headers = { "Content-Type": metrics.contentType, ...DATA_HEADERS };
  return new Response(await metrics.text(), { headers });
}

/** Public. The exact reason is returned only if the bus is open; otherwise it is only in the log. */
function ready(service: ServiceState, gate: Gate): Response {
  const reason = service.notReady();
  if (reason === undefined) return json({ status: "ready" });
  return problemResponse(
    gate.isOpen
      ? reason
      : new BusError(reason.code, "the server cannot accept publishes: see its log", { members: reason.members }),
  );
}
