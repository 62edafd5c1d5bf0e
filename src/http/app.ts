import type { TokenBook } from "../bus/access/tokens.ts";
import type { Bus } from "../bus/bus.ts";
import type { Workplace } from "../bus/consumers/consumer.ts";
import type { Consumers } from "../bus/consumers/consumers.ts";
import type { ConsumerHost } from "../bus/consumers/ports.ts";
import { BusError } from "../bus/errors.ts";
import type { Gate } from "./access/gate.ts";
import type { Sender } from "./access/proxies.ts";
import { tellLimit } from "./limits/limits.ts";
import type { SubscriberLimits } from "./limits/subscriber-limits.ts";
import type { Incoming } from "./observe.ts";
import { Relay } from "./relay/relay.ts";
import { Workplaces } from "./relay/workplaces.ts";
import { CLIENT_GONE, pathOf } from "./response/answer.ts";
import { asBusError, isDisconnect, problemResponse } from "./response/problem.ts";
import type { Subscribed } from "./response/subscriber-list.ts";
import { adminRoutes, type ServiceState } from "./routes/admin.ts";
import { backupRoute, type MakeCopy } from "./routes/backup.ts";
import { type AttemptsOf, consumerWorkRoutes } from "./routes/consumer-work.ts";
import { consumerRoutes } from "./routes/consumers.ts";
import { docsRoutes } from "./routes/docs.ts";
import { historyRoutes } from "./routes/history.ts";
import { type PageFiles, pageRoutes } from "./routes/page.ts";
import { type PublishLimits, publishRoutes } from "./routes/publish.ts";
import type { Route } from "./routes/route.ts";
import { RouteTable } from "./routes/route-table.ts";
import { subscribeRoutes } from "./routes/subscribe.ts";
import { subscribersRoute } from "./routes/subscribers.ts";
import { tokenRoutes } from "./routes/tokens.ts";
import { topicsRoute } from "./routes/topics.ts";
import type { Streams } from "./stream/streams.ts";
import type { Takes } from "./stream/takes.ts";

export interface AppOptions {
  readonly bus: Bus;
  readonly streams: Streams;
  /** The subscribers that are connected. */
  readonly subscribers: () => readonly Subscribed[];
  readonly service: ServiceState;
  readonly tokens: TokenBook;
  /** Omitted: there are none, and no routes for them. */
  readonly consumers?: Consumers | undefined;
  /** The node of a cluster that serves the consumers; omitted for a single node. */
  readonly consumerHost?: ConsumerHost | undefined;
  /** Omitted: nothing is pushed. */
  readonly attemptsOf?: AttemptsOf | undefined;
  /** The requests that wait for deliveries. */
  readonly takes: Takes;
  /** Decides, before every route, whether the request is admitted. */
  readonly gate: Gate;
  readonly makeCopy: MakeCopy;
  /** Who sent a request, and where to. */
  readonly senderOf: (request: Request) => Sender;
  readonly limits: PublishLimits & Pick<SubscriberLimits, "waiting">;
  readonly version: string;
  /** The page at `/`; omitted: none. */
  readonly page?: PageFiles | undefined;
  /** Called for every request that failed unexpectedly. */
  readonly onError: (error: unknown, request: Request | undefined) => void;
}

/** All HTTP routes, without a listener. */
export interface App {
  readonly routes: RouteTable;
  /** The consumers, as WebSockets find them; undefined if there are none. */
  readonly workplaces: { get(name: string): Workplace } | undefined;
  /** Handles a request for this path and route, or throws, or rejects with, what `fail` accepts. */
  answer(request: Request, at: Pick<Incoming, "path" | "route">): Response | Promise<Response>;
  /** The response to a request that failed with this error. */
  fail(error: unknown, request: Request): Response;
}

/** Puts the gate before all routes. */
export function createApp(options: AppOptions): App {
  const { gate } = options;
  const relay = relayOf(options, (error, request) => fail(error, request));
  const routes = new RouteTable(appRoutes(options, relay));
  const answer: App["answer"] = (request, { path, route }) => {
    if (route === undefined) throw noSuchAddress();
    const admitted = gate.admit(request, route.access);
    if (!(admitted instanceof Promise)) return route.answer(request, admitted, path);
    return admitted.then((caller) => route.answer(request, caller, path));
  };
  const fail = (error: unknown, request: Request): Response => {
    if (isDisconnect(error)) return new Response(null, { status: CLIENT_GONE });
    const busError = asBusError(error);
    if (busError.code === "not_found") return missing(busError, routes.methodsOf(pathOf(request.url)), request.method);
    if (busError.code === "internal") options.onError(error, request);
    tellLimit(busError, options.limits.onLimit);
    return problemResponse(busError);
  };
  return { routes, workplaces: workplacesOf(options, relay), answer, fail };
}

function relayOf(options: AppOptions, fail: App["fail"]): Relay | undefined {
  const { consumerHost: host, gate } = options;
  return host && new Relay({ host, routes: routesOfConsumers(options), gate, fail });
}

function workplacesOf({ bus, consumers, consumerHost: host }: AppOptions, relay: Relay | undefined): App["workplaces"] {
  if (host === undefined || relay === undefined) return consumers;
  return new Workplaces({ host, relay, events: bus });
}

function routesOfConsumers({ consumers, takes, attemptsOf = () => [], gate, limits }: AppOptions): readonly Route[] {
  if (consumers === undefined) return [];
  return [
    ...consumerRoutes(consumers, gate, limits.waiting),
    ...consumerWorkRoutes(consumers, takes, attemptsOf, gate, limits.waiting),
  ];
}

/** Every route of the server. */
export function appRoutes(options: AppOptions, relay?: Relay): readonly Route[] {
  const { bus, streams, subscribers, service, tokens, gate, makeCopy, senderOf, limits, version, page = {} } = options;
  const routes = [
    ...publishRoutes(bus, limits, gate),
    ...historyRoutes(bus, limits.waiting),
    topicsRoute(bus, limits.waiting),
    ...adminRoutes(bus, service, gate),
    ...tokenRoutes(tokens, gate, limits.waiting),
    ...(relay?.routes ?? routesOfConsumers(options)),
    backupRoute(makeCopy),
    ...subscribeRoutes(streams),
    subscribersRoute(subscribers, limits.waiting),
    ...pageRoutes(page),
  ];
  return [...routes, ...docsRoutes(version, routes, senderOf)];
}

function noSuchAddress(): BusError {
  return new BusError("not_found", "this address does not exist: see /swagger for those that do");
}

/** What was not found may exist for another method: `GET /api/events/publish` looks for an event of that name. */
function missing(error: BusError, allowed: readonly string[], method: string): Response {
  if (allowed.length === 0 || allowed.includes(method)) return problemResponse(error);
  const allow = allowed.toSorted().join(", ");
  return problemResponse(new BusError("method_not_allowed", `this address accepts ${allow}`), { Allow: allow });
}
