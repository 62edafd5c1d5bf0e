import type { TokenBook } from "../../src/bus/access/tokens.ts";
import type { BusError } from "../../src/bus/errors.ts";
import type { Tuning } from "../../src/bus/tuning.ts";
import { TrustedProxies } from "../../src/http/access/proxies.ts";
import type { OnLimit } from "../../src/http/limits/limits.ts";
import { PublishRates } from "../../src/http/limits/publish-rates.ts";
import { SpareTime } from "../../src/http/limits/spare-time.ts";
import { type SubscriberLimits, SubscriberSlots } from "../../src/http/limits/subscriber-limits.ts";
import { Waiting } from "../../src/http/limits/waiting.ts";
import { HttpServer } from "../../src/http/server.ts";
import { Bus } from "../../src/index.ts";
import { openGate } from "./gate.ts";

export interface EdgeOptions {
  readonly maxHistory?: number;
  readonly tuning?: Partial<Tuning>;
  readonly maxConnections?: number;
  readonly stallMs?: number;
  readonly maxPatterns?: number;
  readonly pingMs?: number;
  readonly idleTimeoutS?: number;
  /** Events a second that one address may publish. */
  readonly rateLimit?: number;
  readonly onLimit?: OnLimit;
  /** Why the server is not ready; default: it is. */
  readonly notReady?: () => BusError | undefined;
}

/** A bus and its network edge, without the service around them, so that a test can choose their limits. */
export interface Edge extends AsyncDisposable {
  readonly url: string;
  readonly bus: Bus;
  readonly server: HttpServer;
  /** The bus is open until a token is made. */
  readonly tokens: TokenBook;
  /** How many subscribers there are, of all transports and states. */
  readonly subscribers: number;
}

/** Listens on a free port over a history in memory; both end when it is disposed of. */
export function openEdge({ maxHistory, tuning, ...limits }: EdgeOptions = {}): Edge {
  const bus = Bus.open(":memory:", {
    ...(maxHistory === undefined ? {} : { maxHistory }),
    ...(tuning === undefined ? {} : { tuning }),
  });
  const opened = openGate();
  const server = serve(bus, limits, opened);
  return {
    url: server.url,
    bus,
    server,
    tokens: opened.tokens,
    get subscribers() {
      const { websocket, stream } = server.subscribers;
      return websocket.live + websocket.replay + stream.live + stream.replay;
    },
    async [Symbol.asyncDispose]() {
      await server.stop();
      await bus.stop();
    },
  };
}

/** The network edge of a bus, on a free port. An error in a request fails the test run. */
export function serve(
  bus: Bus,
  {
    maxConnections = 1000,
    stallMs = 60_000,
    maxPatterns = 64,
    spareTime = new SpareTime({ head: () => bus.head }),
    waiting = new Waiting(),
    pingMs = 30_000,
    idleTimeoutS,
    rateLimit,
    onLimit,
    notReady = () => undefined,
  }: Omit<Partial<SubscriberLimits>, keyof EdgeOptions> & EdgeOptions = {},
  opened = openGate(),
): HttpServer {
  return new HttpServer(bus, {
    host: "127.0.0.1",
    port: 0,
    version: "0.0.0-test",
    ...opened,
    service: {
      metrics: { contentType: "text/plain", text: async () => "" },
      stats: () => ({}),
      notReady,
    },
    makeCopy: () => Promise.reject(new Error("there is no file to copy")),
    limits: {
      maxBodyBytes: 1024 * 1024,
      maxNdjsonBytes: 10 * 1024 * 1024,
      slots: new SubscriberSlots(maxConnections),
      spareTime,
      waiting,
      maxPatterns,
      stallMs,
      pingMs,
      onLimit,
      rates: rateLimit === undefined ? undefined : new PublishRates(rateLimit),
    },
    idleTimeoutS,
    origins: { isLoopback: true, allowedHosts: [], allowedOrigins: [] },
    proxies: new TrustedProxies([]),
    onError: (error) => {
      throw error;
    },
  });
}
