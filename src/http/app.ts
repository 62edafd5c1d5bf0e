import { Elysia } from "elysia";
import type { Bus } from "../bus/bus.ts";
import { BusError } from "../bus/errors.ts";
import type { Access } from "../bus/principal.ts";
import type { TokenBook } from "../bus/tokens.ts";
import { adminRoutes, type ServiceState } from "./admin.ts";
import { CLIENT_GONE, pathOf } from "./answer.ts";
import { backupRoutes, type MakeCopy } from "./backup.ts";
import { PAGE_PATH } from "./docs/page.ts";
import { documented } from "./docs/route.ts";
import { subscribeDocs } from "./docs/subscribe.ts";
import { docsRoutes } from "./docs.ts";
import type { Gate } from "./gate.ts";
import { historyRoutes } from "./history.ts";

import { tellLimit } from "./limits.ts";
import { type PageFiles, pageRoutes } from "./page.ts";
import { asBusError, isDisconnect, problemResponse } from "./problem.ts";

import { type PublishLimits, publishRoutes } from "./publish.ts";
import { type Route, RouteTable } from "./route-table.ts";
import type { Streams } from "./stream.ts";
import { SUBSCRIBE_PATH, subscribeQuery } from "./subscribe.ts";
import { tokenRoutes } from "./tokens.ts";

export interface AppOptions {
  readonly bus: Bus;
  readonly streams: Streams;
  readonly service: ServiceState;
  readonly tokens: TokenBook;
  /** Asked before every route whether the request may be let in. */
  readonly gate: Gate;
  readonly makeCopy: MakeCopy;
  readonly limits: PublishLimits;
  readonly version: string;
  /** The requests come by HTTPS. */
  readonly isTls?: boolean;
  /** What is at `/`; nothing when left out. */
  readonly page?: PageFiles | undefined;
  /** Told of every request that failed without anybody's purpose. */
  readonly onError: (error: unknown, request: Request | undefined) => void;
}

/** All HTTP routes, without what listens. */
export interface App {
  readonly routes: RouteTable;
  /** Answers a request, or throws, or rejects, with what `fail` takes. */
  answer(request: Request): Response | Promise<Response>;
  /** The answer to a request that failed with this error. */
  fail(error: unknown, request: Request): Response;
}

/** Makes an Elysia app of all routes, and puts the gate before it. */
export function createApp(options: AppOptions): App {
  const { gate, isTls = false } = options;
  // Elysia looks for the path from the 8th character on, which finds a slash of `https://`, or from the 12th.
  const app = new Elysia({ handler: { standardHostname: isTls }, strictPath: true })
    .onError(({ error, request, code }) => fail(code === "NOT_FOUND" ? noSuchAddress() : error, request))
    .use(appRoutes(options));
  const routes = new RouteTable(app.routes);
  const fail = (error: unknown, request: Request): Response => {
    if (isDisconnect(error)) return new Response(null, { status: CLIENT_GONE });
    const busError = asBusError(error);
    if (busError.code === "not_found") return missing(busError, routes.methodsOf(pathOf(request.url)), request.method);
    if (busError.code === "internal") options.onError(error, request);
    tellLimit(busError, options.limits.onLimit);
    return problemResponse(busError);
  };
  const answer = (sent: Request): Response | Promise<Response> => {
    const request = isTls ? withLongHost(sent) : sent;
    const path = pathOf(request.url);
    const route = routes.find(request.method, path);
    const call = () => route?.handle?.({ request }) ?? app.fetch(request);
    const admitted = gate.admit(request, accessOf(route, path));
    return admitted instanceof Promise ? admitted.then(call) : call();
  };
  return { routes, answer, fail };
}

/** Where there is no route there is nothing to see. */
function accessOf(route: Route | undefined, path: string): Access {
  return route === undefined ? "public" : (route.access ?? undeclared(path));
}

/** A path that begins before the 12th character, behind a Host of one or two letters, is not found by Elysia. */
function withLongHost(request: Request): Request {
  const start = request.url.indexOf("/", "https://".length);
  if (start >= 11) return request;
  return new Request(`https://localhost${request.url.slice(start)}`, request);
}

/** Every route, with what the documentation says of it. */
export function appRoutes({ bus, streams, service, tokens, gate, makeCopy, limits, version, page = {} }: AppOptions) {
  return new Elysia()
    .use(publishRoutes(bus, limits, gate))
    .use(historyRoutes(bus, gate))
    .use(adminRoutes(bus, service, gate))
    .use(tokenRoutes(tokens, gate))
    .use(backupRoutes(makeCopy))
    .use(streams.routes())
    .get(SUBSCRIBE_PATH, upgradeRequired, documented(subscribeDocs, subscribeQuery))
    .use(pageRoutes(page))
    .use(docsRoutes(version));
}

function upgradeRequired(): never {
  throw new BusError("upgrade_required", "this address is for WebSockets: connect with ws:// or wss://");
}

/** The page of the documentation is for everybody; whatever else forgot to say is for nobody but an admin. */
function undeclared(path: string): Access {
  return path === PAGE_PATH || path.startsWith(`${PAGE_PATH}/`) ? "public" : "admin";
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
