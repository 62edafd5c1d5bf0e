import { Elysia } from "elysia";
import type { Bus } from "../bus/bus.ts";
import { BusError } from "../bus/errors.ts";
import { adminRoutes, type ServiceState } from "./admin.ts";
import { pathOf } from "./answer.ts";
import { documented } from "./docs/route.ts";
import { subscribeDocs } from "./docs/subscribe.ts";
import { docsRoutes } from "./docs.ts";
import { historyRoutes } from "./history.ts";
import { tellLimit } from "./limits.ts";
import { asBusError, isDisconnect, problemResponse } from "./problem.ts";
import { type PublishLimits, publishRoutes } from "./publish.ts";
import type { Streams } from "./stream.ts";
import { SUBSCRIBE_PATH, subscribeQuery } from "./subscribe.ts";

export interface AppOptions {
  readonly bus: Bus;
  readonly streams: Streams;
  readonly service: ServiceState;
  readonly limits: PublishLimits;
  readonly version: string;
  /** The requests come by HTTPS. */
  readonly isTls?: boolean;
  /** Told of every request that failed without anybody's purpose. */
  readonly onError: (error: unknown, request: Request | undefined) => void;
}

/** All HTTP routes, as one Elysia app that does not listen: its `handle` answers a request. Never rejects. */
export function createApp(options: AppOptions): (request: Request) => Promise<Response> | Response {
  // Elysia looks for the path from the 8th character on, which finds a slash of `https://`, or from the 12th.
  const app = new Elysia({ handler: { standardHostname: options.isTls === true }, strictPath: true })
    .onError(({ error, request, code }) => {
      const busError = code === "NOT_FOUND" ? noSuchAddress() : asBusError(error);
      if (busError.code === "not_found") return missing(busError, allowed.of(pathOf(request.url)), request.method);
      if (busError.code === "internal" && !isDisconnect(error)) options.onError(error, request);
      tellLimit(busError, options.limits.onLimit);
      return problemResponse(busError);
    })
    .use(appRoutes(options));
  const allowed = new AllowedMethods(app.routes);
  return (request) => app.handle(options.isTls ? withLongHost(request) : request);
}

/** A path that begins before the 12th character, behind a Host of one or two letters, is not found by Elysia. */
function withLongHost(request: Request): Request {
  const start = request.url.indexOf("/", "https://".length);
  if (start >= 11) return request;
  return new Request(`https://localhost${request.url.slice(start)}`, request);
}

/** Every route, with what the documentation says of it. */
export function appRoutes({ bus, streams, service, limits, version }: AppOptions) {
  return new Elysia()
    .use(publishRoutes(bus, limits))
    .use(historyRoutes(bus))
    .use(adminRoutes(bus, service))
    .use(streams.routes())
    .get(SUBSCRIBE_PATH, upgradeRequired, documented(subscribeDocs, subscribeQuery))
    .use(docsRoutes(version));
}

function upgradeRequired(): never {
  throw new BusError("upgrade_required", "this address is for WebSockets: connect with ws:// or wss://");
}

/** Which methods each path takes; Elysia itself answers 404 to a wrong one. */
class AllowedMethods {
  readonly #byPath = new Map<string, Set<string>>();

  constructor(routes: readonly { readonly method: string; readonly path: string }[]) {
    for (const { method, path } of routes) {
      const methods = this.#byPath.get(path) ?? new Set();
      this.#byPath.set(path, methods.add(method));
      if (method === "GET") methods.add("HEAD");
    }
  }

  /** Empty when there is no such path. */
  of(path: string): string[] {
    const exact = this.#byPath.get(path);
    if (exact) return [...exact];
    const cut = path.lastIndexOf("/") + 1;
    for (const [pattern, methods] of this.#byPath) {
      if (pattern.startsWith(`${path.slice(0, cut)}:`) && path.length > cut) return [...methods];
    }
    return [];
  }
}

function noSuchAddress(): BusError {
  return new BusError("not_found", "there is no such address: see /swagger");
}

/** What was not found may be there for another method: `GET /api/events/publish` looks for an event of that name. */
function missing(error: BusError, allowed: readonly string[], method: string): Response {
  if (allowed.length === 0 || allowed.includes(method)) return problemResponse(error);
  const allow = allowed.toSorted().join(", ");
  return problemResponse(new BusError("method_not_allowed", `this address takes ${allow}`), { Allow: allow });
}
