import type { Server, WebSocketHandler } from "bun";
import { anybody } from "../bus/access/principal.ts";
import type { Bus } from "../bus/bus.ts";
import { Guests } from "./access/guests.ts";
import { SpareTime } from "./limits/spare-time.ts";
import { STALL_MS, SubscriberSlots } from "./limits/subscriber-limits.ts";
import { Waiting } from "./limits/waiting.ts";
import { asBusError, problemResponse } from "./response/problem.ts";
import type { Connection } from "./websocket/connection.ts";
import { Subscriptions } from "./websocket/subscriptions.ts";

/** The logger of a subscription handler, such as `console`. */
export interface SubscribeLogger {
  error(message: string, ...details: unknown[]): void;
}

export interface ServeSubscribeOptions {
  /** Concurrent sockets; default 10,000. */
  maxConnections?: number;
  /** Patterns per socket; default 64. */
  maxPatterns?: number;
}

/** What `Bun.serve` needs for WebSocket subscriptions. */
export interface SubscribeHandler {
  /** Upgrades the request to a WebSocket, or returns an error response. */
  fetch(request: Request, server: Server<Connection>): Response | undefined;
  websocket: WebSocketHandler<Connection>;
  /** Closes every socket with 1012 and accepts no more. */
  close(): void;
}

/**
 * Handles WebSocket subscription connections, as `ServeSubscribe` of the Go package does.
 *
 * Query: `pattern`, a glob on topics, repeatable, default `*`; and `since` or `last` for a replay. Use it as
 * `Bun.serve({ ...serveSubscribe(bus, console), port: 9800 })`, or call its `fetch` for the path you like.
 */
export function serveSubscribe(
  bus: Bus,
  logger: SubscribeLogger,
  { maxConnections = 10_000, maxPatterns = 64 }: ServeSubscribeOptions = {},
): SubscribeHandler {
  const subscriptions = new Subscriptions(
    bus,
    {
      slots: new SubscriberSlots(maxConnections),
      spareTime: new SpareTime({ head: () => bus.head }),
      waiting: new Waiting(),
      maxPatterns,
      stallMs: STALL_MS,
    },
    new Guests(Date.now),
  );
  return {
    fetch: (request, server) => {
      try {
        return subscriptions.upgrade(request, server, anybody);
      } catch (error) {
        const busError = asBusError(error);
        if (busError.code === "internal") logger.error("a subscription failed", error);
        return problemResponse(busError);
      }
    },
    websocket: subscriptions.websocket,
    close: () => subscriptions.close(),
  };
}
