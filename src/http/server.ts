import type { Server } from "bun";
import type { Principal } from "../bus/access/principal.ts";
import type { Bus } from "../bus/bus.ts";
import { type Behind, summaryOf } from "../bus/delivery/behind.ts";
import type { Distance } from "../bus/delivery/replays.ts";
import { BusError } from "../bus/errors.ts";
import { checkOrigin, type OriginRules } from "./access/host.ts";
import type { Sender, TrustedProxies } from "./access/proxies.ts";
import { type App, type AppOptions, createApp } from "./app.ts";
import { requireFewHeaders } from "./limits/limits.ts";
import { rateKey } from "./limits/publish-rates.ts";
import type { SubscriberLimits } from "./limits/subscriber-limits.ts";
import { Turns } from "./limits/turns.ts";
import { Listener, type TlsIdentity } from "./listener.ts";
import { type Answered, type Incoming, type OnAnswered, observed } from "./observe.ts";
import { discardBody } from "./request/body.ts";
import { CLIENT_GONE } from "./response/answer.ts";
import { preflightResponse, withCors } from "./response/cors.ts";
import { asBusError, problemResponse } from "./response/problem.ts";
import { BACKUP_PATH } from "./routes/backup.ts";
import type { PublishLimits } from "./routes/publish.ts";
import { STREAM_PATH, Streams } from "./stream/streams.ts";
import { Takes } from "./stream/takes.ts";
import type { Connection } from "./websocket/connection.ts";
import { DRAIN_MS, SUBSCRIBE_PATH, Subscriptions } from "./websocket/subscriptions.ts";

/**
 * Seconds after which an idle connection, or an incomplete request, is disconnected: neither a head nor a body gains
 * time by arriving bit by bit. A larger body must arrive at about 20 KiB per second; then Bun lets it continue.
 */
const IDLE_TIMEOUT_S = 30;
/** Bun checks its timeouts every four seconds; with shorter ones it cuts healthy streams. */
const MIN_TIMEOUT_S = 5;
/** Supervisors may ask for these with HTTP/1.0 and without a `Host`. They reveal nothing that a page could want. */
const PROBES = ["/healthz", "/readyz"];
/** Served even when there is almost no room for connections, so that operators and supervisors can see it. */
const ALWAYS_ANSWERED = [...PROBES, "/metrics"];

/** How often expired permissions are looked for, in milliseconds: their connections close within a second. */
const EXPIRY_SWEEP_MS = 500;

export interface ServerOptions extends Omit<AppOptions, "bus" | "streams" | "subscribers" | "takes" | "senderOf"> {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** HTTPS when it is given, HTTP otherwise. */
  readonly tls?: TlsIdentity | undefined;
  readonly limits: AppOptions["limits"] & SubscriberLimits;
  readonly origins: OriginRules;
  /** The proxies that are trusted to report what a client asked for. */
  readonly proxies: TrustedProxies;
  /** Whether connections should be turned away, for want of file descriptors. */
  readonly isCrowded?: ((nowMs: number) => boolean) | undefined;
  /** Seconds, from 5; default 30. See `IDLE_TIMEOUT_S`. */
  readonly idleTimeoutS?: number | undefined;
  /** Called for every completed request. */
  readonly onAnswered?: OnAnswered;
}

/** The network edge: listens, upgrades WebSockets, hands everything else to the app. */
export class HttpServer {
  readonly #listener: Listener;
  readonly #subscriptions: Subscriptions;
  readonly #streams: Streams;
  readonly #takes: Takes;
  readonly #expiry: ReturnType<typeof setInterval>;
  readonly #app: App;
  readonly #gate: ServerOptions["gate"];
  readonly #limits: ServerOptions["limits"];
  readonly #origins: OriginRules;
  readonly #proxies: TrustedProxies;
  readonly #isCrowded: ServerOptions["isCrowded"];
  readonly #onAnswered: ServerOptions["onAnswered"];
  readonly #onError: ServerOptions["onError"];
  readonly #idleTimeoutS: number;
  readonly #turns = new Turns();
  #isStopping = false;

  /** Listens at once. Throws when the address is in use. */
  constructor(bus: Bus, options: ServerOptions) {
    const { gate, limits, idleTimeoutS = IDLE_TIMEOUT_S } = options;
    this.#gate = gate;
    this.#limits = limits;
    this.#origins = options.origins;
    this.#proxies = options.proxies;
    this.#isCrowded = options.isCrowded;
    this.#onAnswered = options.onAnswered;
    this.#onError = options.onError;
    this.#idleTimeoutS = idleTimeoutS;
    this.#streams = new Streams(bus, limits, gate, (request) => this.addressOf(request));
    this.#takes = new Takes(gate.guests);
    this.#app = createApp({
      ...options,
      bus,
      takes: this.#takes,
      subscribers: () => [...this.#subscriptions.all, ...this.#streams.all],
      streams: this.#streams,
      senderOf: (request) => this.#senderOf(request),
      limits: { ...limits, ...this.#publishMeter(options), endedRequests: () => this.#listener.endedRequests },
    });
    this.#subscriptions = new Subscriptions(
      bus,
      limits,
      gate.guests,
      (request) => this.addressOf(request),
      this.#app.workplaces,
    );
    this.#listener = new Listener({
      ...options,
      idleTimeoutS,
      fetch: observed<Server<Connection>>({
        routes: this.#app.routes,
        answer: (incoming, server) => this.#begin(incoming, server),
        fail: (error, incoming) => this.#fail(error, incoming),
        onAnswered: (answered) => this.#answered(answered),
      }),
      error: (error) => this.#unforeseen(error),
      websocket: this.#subscriptions.websocket,
    });
    this.#expiry = setInterval(() => gate.guests.expelExpired(), EXPIRY_SWEEP_MS);
  }

  get url(): string {
    return this.#listener.url;
  }

  /** Subscribers by transport and state. */
  get subscribers() {
    return { websocket: this.#subscriptions.states, stream: this.#streams.states };
  }

  /**
   * Subscribers that are behind, read from memory and from the disk, and the part of a busy loop that each kind gets,
   * from 0 to 1.
   */
  get replay(): Readonly<Record<Distance, Behind>> & { readonly share: number } {
    const { near, far } = summaryOf(this.#subscriptions.behind(), this.#streams.behind());
    return { near, far, share: this.#limits.spareTime.part };
  }

  /** What waits in the server for its readers, and how much may. */
  get waiting(): { readonly bytes: number; readonly maxBytes: number } {
    return this.#limits.waiting;
  }

  /** The address of the client; undefined when it is gone. */
  addressOf(request: Request): string | undefined {
    return this.#senderOf(request).address;
  }

  /** Uses another certificate from the next connection on; see `Listener.renew`. Does nothing once it stops. */
  renewCertificate(tls: TlsIdentity): void {
    if (!this.#isStopping) this.#listener.renew(tls);
  }

  /** Accepts no more requests, completes those in progress, closes WebSockets with 1012. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    clearInterval(this.#expiry);
    const drained = this.#listener.drain();
    this.#subscriptions.close();
    this.#streams.close();
    this.#takes.close();
    await Promise.race([drained, Bun.sleep(DRAIN_MS)]);
    await this.#listener.stop();
  }

  #answered(answered: Answered): void {
    const wasLate = answered.status === CLIENT_GONE && answered.durationMs >= this.#idleTimeoutS * 1000;
    if (wasLate) this.#limits.onLimit?.("request_time");
    this.#onAnswered?.(answered);
  }

  /** A publish begins at once: as many share a commit, its response comes in a later turn anyway, unless it fails. */
  #begin(incoming: Incoming, server: Server<Connection>): Response | Promise<Response | undefined> | undefined {
    if (isPublish(incoming)) return this.#fetch(incoming, server);
    return this.#turns.run(() => this.#fetch(incoming, server), incoming.request);
  }

  #fail(error: unknown, { request }: Incoming): Response | Promise<Response> {
    const hasNoBody = request.method === "GET" || request.method === "HEAD";
    return hasNoBody ? this.#app.fail(error, request) : this.#refuseBody(error, request);
  }

  /** Responds in a later turn, as a publish begins whether or not its turn has room. */
  async #refuseBody(error: unknown, request: Request): Promise<Response> {
    // A body that never arrives completely must not delay the rejection.
    await discardBody(request).catch(() => {});
    const gone = (reason: unknown) => this.#app.fail(reason, request);
    return this.#turns.later(() => this.#app.fail(error, request), request).catch(gone);
  }

  #fetch(incoming: Incoming, server: Server<Connection>): Response | Promise<Response | undefined> | undefined {
    const { request } = incoming;
    requireFewHeaders(request);
    if (PROBES.includes(incoming.path) && !request.headers.has("host")) return this.#answer(incoming, server);
    const host = this.#proxies.isEmpty ? undefined : this.#senderOf(request).host;
    const origin = checkOrigin(request, this.#origins, host);
    if (origin === undefined) return this.#answer(incoming, server);
    if (request.method === "OPTIONS") return preflightResponse(origin, request);
    return this.#allow(origin, incoming, server);
  }

  #senderOf(request: Request): Sender {
    return this.#proxies.senderOf(request.headers, this.#listener.addressOf(request));
  }

  /** Lets the page of an allowed origin read any response, errors too. An upgrade has none. */
  async #allow(origin: string, incoming: Incoming, server: Server<Connection>): Promise<Response | undefined> {
    try {
      const response = await this.#answer(incoming, server);
      return response && withCors(response, origin);
    } catch (error) {
      return withCors(await this.#fail(error, incoming), origin);
    }
  }

  #answer(incoming: Incoming, server: Server<Connection>): Response | Promise<Response | undefined> | undefined {
    if (this.#isStopping) throw new BusError("shutting_down", "the server is shutting down");
    const { request, path, route, startMs } = incoming;
    if (this.#isCrowded?.(startMs) && !ALWAYS_ANSWERED.includes(path)) throw tooFewDescriptors();
    if (path === SUBSCRIBE_PATH && request.headers.get("upgrade") !== null) return this.#upgrade(request, server);
    if (path === STREAM_PATH) server.timeout(request, Math.max(MIN_TIMEOUT_S, Math.ceil(this.#limits.stallMs / 1000)));
    if (route?.maxSeconds !== undefined) server.timeout(request, route.maxSeconds);
    if (path === BACKUP_PATH) return this.#answerPatiently(incoming, server);
    return this.#answerByApp(incoming);
  }

  #answerByApp(incoming: Incoming): Response | Promise<Response> {
    const { request } = incoming;
    return this.#app.answer(request.method === "HEAD" ? this.#asGet(request) : request, incoming);
  }

  /** Bun sends no body in response to a HEAD, and ends a stream before it has begun. */
  #asGet({ url, headers, signal }: Request): Request {
    // Without a Host, or with an odd one, Bun gives only the path as the URL.
    return new Request(new URL(url, this.url), { headers, signal });
  }

  /**
   * Waits for the response however long it takes to be made; from then on a client that reads nothing is disconnected.
   */
  async #answerPatiently(incoming: Incoming, server: Server<Connection>): Promise<Response> {
    const { request } = incoming;
    server.timeout(request, 0);
    const response = await this.#answerByApp(incoming);
    server.timeout(request, this.#idleTimeoutS);
    return response;
  }

  #upgrade(request: Request, server: Server<Connection>): Promise<Response | undefined> | undefined {
    const admitted = this.#gate.admit(request, "connect");
    const enter = (caller: Principal) => this.#subscriptions.upgrade(request, server, caller);
    return admitted instanceof Promise ? admitted.then(enter) : enter(admitted);
  }

  /** Bun could not send a response that was made. */
  #unforeseen(error: unknown): Response {
    this.#onError(error, undefined);
    return problemResponse(asBusError(error));
  }

  #publishMeter({ limits: { rates } }: ServerOptions): Pick<PublishLimits, "meterOf" | "maxAtOnce"> {
    if (rates === undefined) return {};
    return {
      maxAtOnce: rates.perSecond,
      meterOf: (request, caller) => {
        const key = rateKey(caller, this.addressOf(request));
        return (count) => rates.take(key, count);
      },
    };
  }
}

/** Whether the request is a publish; it may still be rejected. */
function isPublish({ route }: Incoming): boolean {
  return route?.access === "publish";
}

function tooFewDescriptors(): BusError {
  return new BusError(
    "too_many_connections",
    "the server has almost no file descriptors left for connections: try again later, or raise its limit (ulimit -n)",
  );
}
