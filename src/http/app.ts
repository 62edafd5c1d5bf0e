import { Elysia } from "elysia";
import type { Bus } from "../bus/bus.ts";
import { BusError } from "../bus/errors.ts";
import type { Access } from "../bus/principal.ts";
import type { TokenBook } from "../bus/tokens.ts";
import { adminRoutes, type ServiceState } from "./admin.ts";
import { CLIENT_GONE, pathOf } from "./answer.ts";
import { backupRoutes, type MakeCopy } from "./backup.ts";
import { PAGE_PATH } from "./docs/page.ts";
import { ACCESS_MEMBER, documented } from "./docs/route.ts";
import { subscribeDocs } from "./docs/subscribe.ts";
import { docsRoutes } from "./docs.ts";
import type { Gate } from "./gate.ts";
import { historyRoutes } from "./history.ts";

import { tellLimit } from "./limits.ts";
import { type PageFiles, pageRoutes } from "./page.ts";
import { asBusError, isDisconnect, problemResponse } from "./problem.ts";

import { type PublishLimits, publishRoutes } from "./publish.ts";
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
  /** Told once of the templates of all routes. */
  readonly onRoutes?: (templates: readonly string[]) => void;
  /** What is at `/`; nothing when left out. */
  readonly page?: PageFiles | undefined;
  /** Told of every request that failed without anybody's purpose. */
  readonly onError: (error: unknown, request: Request | undefined) => void;
}

/** All HTTP routes, as one Elysia app that does not listen: its `fetch` answers a request. Never rejects. */
export function createApp(options: AppOptions): (request: Request) => Promise<Response> | Response {
  // Elysia looks for the path from the 8th character on, which finds a slash of `https://`, or from the 12th.
  const app = new Elysia({ handler: { standardHostname: options.isTls === true }, strictPath: true })
    .onError(({ error, request, code }) => {
      if (isDisconnect(error)) return new Response(null, { status: CLIENT_GONE });
      const busError = code === "NOT_FOUND" ? noSuchAddress() : asBusError(error);
      if (busError.code === "not_found") return missing(busError, table.methodsOf(pathOf(request.url)), request.method);
      if (busError.code === "internal") options.onError(error, request);
      tellLimit(busError, options.limits.onLimit);
      return problemResponse(busError);
    })
    .use(appRoutes(options));
  const table = new RouteTable(app.routes);
  options.onRoutes?.(app.routes.map(({ path }) => path));
  const { gate } = options;
  const refuse = (error: unknown) => {
    const busError = asBusError(error);
    if (busError.code === "internal") options.onError(error, undefined);
    return problemResponse(busError);
  };
  const admitAndHandle = (request: Request) => {
    try {
      const admitted = gate.admit(request, table.accessOf(request.method, pathOf(request.url)));
      if (admitted instanceof Promise) return admitted.then(() => app.fetch(request)).catch(refuse);
      return app.fetch(request);
    } catch (error) {
      return refuse(error);
    }
  };
  return options.isTls === true ? (request) => admitAndHandle(withLongHost(request)) : admitAndHandle;
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

/** What Elysia tells of a route. */
interface Route {
  readonly method: string;
  readonly path: string;
  readonly hooks: { readonly detail?: { readonly [ACCESS_MEMBER]?: Access } };
}

/** Which methods each path takes (Elysia itself answers 404 to a wrong one), and who may call them. */
class RouteTable {
  readonly #byPath = new Map<string, Map<string, Access>>();

  constructor(routes: readonly Route[]) {
    for (const { method, path, hooks } of routes) {
      const methods = this.#byPath.get(path) ?? new Map<string, Access>();
      const access = hooks.detail?.[ACCESS_MEMBER] ?? undeclared(path);
      this.#byPath.set(path, methods.set(method, access));
      if (method === "GET") methods.set("HEAD", access);
    }
  }

  /** Empty when there is no such path. */
  methodsOf(path: string): string[] {
    return [...(this.#methodsAt(path)?.keys() ?? [])];
  }

  /** Where there is no route there is nothing to see. */
  accessOf(method: string, path: string): Access {
    return this.#byPath.get(path)?.get(method) ?? this.#withParameter(path)?.get(method) ?? "public";
  }

  #methodsAt(path: string): ReadonlyMap<string, Access> | undefined {
    return this.#byPath.get(path) ?? this.#withParameter(path);
  }

  #withParameter(path: string): ReadonlyMap<string, Access> | undefined {
    const cut = path.lastIndexOf("/") + 1;
    for (const [pattern, methods] of this.#byPath) {
      if (pattern.startsWith(`${path.slice(0, cut)}:`) && path.length > cut) return methods;
    }
    return undefined;
  }
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
