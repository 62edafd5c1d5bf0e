import type { Server } from "bun";
import type { Bus } from "../bus/bus.ts";
import { BusError } from "../bus/errors.ts";
import { PRUNE_PATH } from "./admin.ts";
import { pathOf } from "./answer.ts";
import { type AppOptions, createApp } from "./app.ts";
import { BACKUP_PATH } from "./backup.ts";
import type { Connection } from "./connection.ts";
import { preflightResponse, withCors } from "./cors.ts";
import { checkOrigin, type OriginRules } from "./host.ts";
import { type OnAnswered, observed, RouteTemplates } from "./observe.ts";
import { asBusError, problemResponse } from "./problem.ts";
import { STREAM_PATH, Streams } from "./stream.ts";
import { SUBSCRIBE_PATH, Subscriptions } from "./subscribe.ts";
import type { SubscriberLimits } from "./subscriber-limits.ts";

/** How long `stop` waits for requests that are under way, in milliseconds. */
const DRAIN_MS = 3000;
/** Seconds after which a request that sends nothing is cut; an idle kept-alive connection too. */
const IDLE_TIMEOUT_S = 30;
/** Bun looks at its timeouts every four seconds, and with shorter ones it cuts streams that are well. */
const MIN_TIMEOUT_S = 5;
/** Pruning answers when it is done, which takes minutes in a huge history. The longest time Bun knows. */
const PRUNE_TIMEOUT_S = 255;
/** Bun's own limit answers with an empty 413; ours comes first, so this one is out of reach. */
const UNREACHABLE_BODY_BYTES = Number.MAX_SAFE_INTEGER;

/** How often it is looked for permissions that have expired, in milliseconds: their connections close within a second. */
const EXPIRY_SWEEP_MS = 500;

export interface ServerOptions extends Omit<AppOptions, "bus" | "streams"> {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly limits: AppOptions["limits"] & SubscriberLimits;
  readonly origins: OriginRules;
  /** Told of every request that was answered. */
  readonly onAnswered?: OnAnswered;
}

/** The network edge: listens, upgrades WebSockets, hands everything else to the Elysia app. */
export class HttpServer {
  readonly #server: Server<Connection>;
  readonly #subscriptions: Subscriptions;
  readonly #streams: Streams;
  readonly #expiry: ReturnType<typeof setInterval>;
  #isStopping = false;

  /** Listens at once. Throws when the address is in use. */
  constructor(bus: Bus, options: ServerOptions) {
    const { gate } = options;
    const subscriptions = new Subscriptions(bus, options.limits, gate.guests);
    const streams = new Streams(bus, options.limits, gate);
    let templates: readonly string[] = [];
    const app = createApp({
      ...options,
      bus,
      streams,
      onRoutes: (all) => {
        templates = all;
      },
    });
    this.#subscriptions = subscriptions;
    this.#streams = streams;
    const upgrade = (request: Request, server: Server<Connection>) => {
      const admitted = gate.admit(request, "subscribe");
      if (!(admitted instanceof Promise)) return subscriptions.upgrade(request, server, admitted);
      return admitted.then((caller) => subscriptions.upgrade(request, server, caller));
    };
    const answer = (request: Request, server: Server<Connection>) => {
      if (this.#isStopping) throw new BusError("shutting_down", "the server is shutting down");
      const path = pathOf(request.url);
      if (path === SUBSCRIBE_PATH && request.headers.get("upgrade") !== null) return upgrade(request, server);
      if (path === STREAM_PATH)
        server.timeout(request, Math.max(MIN_TIMEOUT_S, Math.ceil(options.limits.stallMs / 1000)));
      if (path === PRUNE_PATH) server.timeout(request, PRUNE_TIMEOUT_S);
      if (path === BACKUP_PATH) return patiently(app, request, server);
      return request.method === "HEAD" ? headOf(app, request) : app(request);
    };
    const answerOrigin = (request: Request, server: Server<Connection>) => {
      const origin = checkOrigin(request, options.origins);
      if (origin === undefined) return answer(request, server);
      if (request.method === "OPTIONS") return preflightResponse(origin);
      return allowing(origin, () => answer(request, server));
    };
    const fail = (error: unknown) => {
      const busError = asBusError(error);
      if (busError.code === "internal") options.onError(error, undefined);
      return problemResponse(busError);
    };
    this.#server = Bun.serve<Connection>({
      hostname: options.host,
      port: options.port,
      reusePort: false,
      development: false,
      idleTimeout: IDLE_TIMEOUT_S,
      maxRequestBodySize: UNREACHABLE_BODY_BYTES,
      fetch: observed(
        (request: Request, server: Server<Connection>) => {
          try {
            return answerOrigin(request, server);
          } catch (error) {
            return fail(error);
          }
        },
        new RouteTemplates(templates),
        options.onAnswered ?? (() => {}),
      ),
      error: fail,
      websocket: subscriptions.websocket,
    });
    this.#expiry = setInterval(() => gate.guests.expelExpired(), EXPIRY_SWEEP_MS);
  }

  get url(): string {
    return this.#server.url.href.replace(/\/$/, "");
  }

  /** Subscribers by transport and state. */
  get subscribers() {
    return { websocket: this.#subscriptions.states, stream: this.#streams.states };
  }

  /** Takes no more requests, answers those under way, closes WebSockets with 1012. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    clearInterval(this.#expiry);
    const drained = this.#server.stop(false);
    this.#subscriptions.close();
    this.#streams.close();
    await Promise.race([drained, Bun.sleep(DRAIN_MS)]);
    await this.#server.stop(true);
  }
}

/** Waits for the answer however long it takes to be made; from then on a client that takes nothing is cut. */
async function patiently(
  app: (request: Request) => Response | Promise<Response>,
  request: Request,
  server: Server<Connection>,
): Promise<Response> {
  server.timeout(request, 0);
  const response = await (request.method === "HEAD" ? headOf(app, request) : app(request));
  server.timeout(request, IDLE_TIMEOUT_S);
  return response;
}

/** The answer that GET would get, without its body: an endless one is not even begun. */
async function headOf(app: (request: Request) => Response | Promise<Response>, request: Request): Promise<Response> {
  const { status, headers, body } = await app(new Request(request, { method: "GET" }));
  await body?.cancel();
  return new Response(null, { status, headers });
}

/** Lets the page of an allowed origin read whatever the answer is, errors too. An upgrade has none. */
async function allowing(
  origin: string,
  answer: () => Response | Promise<Response | undefined> | undefined,
): Promise<Response | undefined> {
  try {
    const response = await answer();
    return response && withCors(response, origin);
  } catch (error) {
    return withCors(problemResponse(asBusError(error)), origin);
  }
}
