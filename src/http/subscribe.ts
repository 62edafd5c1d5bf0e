import type { Server, WebSocketHandler } from "bun";
import type { Bus } from "../bus/bus.ts";
import { BusError } from "../bus/errors.ts";
import { parsePattern } from "../bus/pattern.ts";
import { PatternSet } from "../bus/pattern-set.ts";
import { closeCode } from "../protocol/frames.ts";
import { Connection } from "./connection.ts";
import { answerFrame } from "./frames.ts";
import { LiveTopics } from "./live.ts";
import { Query, repeatable, text } from "./query.ts";
import { lastParameter, sinceParameter, startOf } from "./start.ts";
import { type SubscriberLimits, tooManyPatterns } from "./subscriber-limits.ts";

export const SUBSCRIBE_PATH = "/api/events/subscribe";

/** Largest frame from a client. Fixed by the interface. */
const MAX_FRAME_BYTES = 1024 * 1024;
/** Frames of one client that wait for their answer; one that sends more without listening is closed. */
const MAX_UNANSWERED = 10_000;
/** How often in the time that a stall may last the sockets are looked at. */
const SWEEPS_PER_STALL = 4;
/** Seconds without a byte from the peer after which Bun pings, and then drops it. */
const IDLE_TIMEOUT_S = 120;

export const subscribeQuery = new Query({
  pattern: repeatable(text(parsePattern, "A pattern that the topic must match.", { maxLength: 256, default: "*" })),
  since: sinceParameter,
  last: lastParameter,
});

/** The WebSocket edge: who is connected, and Bun's handlers for them. */
export class Subscriptions {
  readonly #bus: Bus;
  readonly #limits: SubscriberLimits;
  readonly #lives: LiveTopics;
  readonly #connections = new Set<Connection>();
  readonly websocket: WebSocketHandler<Connection>;
  readonly #sweep: ReturnType<typeof setInterval>;
  #isClosed = false;

  constructor(bus: Bus, limits: SubscriberLimits) {
    this.#bus = bus;
    this.#limits = limits;
    this.#lives = new LiveTopics(bus);
    this.websocket = this.#handlers();
    this.#sweep = setInterval(() => this.#cutStalled(), limits.stallMs / SWEEPS_PER_STALL);
  }

  get size(): number {
    return this.#connections.size;
  }

  /** How many are up to date, and how many read from history. */
  get states(): { live: number; replay: number } {
    let live = 0;
    for (const connection of this.#connections) if (connection.isLive) live++;
    return { live, replay: this.#connections.size - live };
  }

  /** Makes the request a WebSocket. Throws, before the upgrade, what is wrong with it. */
  upgrade(request: Request, server: Server<Connection>): undefined {
    const { pattern, since, last } = subscribeQuery.read(request.url);
    const start = startOf(since, last);
    if (pattern.length > this.#limits.maxPatterns) throw tooManyPatterns(this.#limits.maxPatterns);
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") throw upgradeRequired();
    if (this.#isClosed) throw new BusError("shutting_down", "the server is shutting down: connect again in a moment");
    const patterns = pattern.length === 0 ? [parsePattern("*")] : pattern;
    const cursor = this.#bus.cursor(new PatternSet(patterns), start);
    const data = new Connection(cursor, patterns, this.#lives, server);
    this.#limits.slots.take();
    if (!server.upgrade(request, { data })) {
      this.#limits.slots.free();
      throw upgradeRequired();
    }
    return undefined;
  }

  /** Tells every subscriber that the server stops, and accepts no more. */
  close(): void {
    this.#isClosed = true;
    clearInterval(this.#sweep);
    for (const connection of this.#connections)
      connection.end(closeCode.restart, "the server stops: reconnect and resume");
  }

  #handlers(): WebSocketHandler<Connection> {
    return {
      open: (socket) => {
        this.#connections.add(socket.data);
        socket.data.open(socket);
      },
      message: (socket, message) => this.#receive(socket.data, message),
      drain: (socket) => socket.data.drained(),
      close: (socket) => {
        this.#connections.delete(socket.data);
        this.#limits.slots.free();
        socket.data.closed();
      },
      maxPayloadLength: MAX_FRAME_BYTES,
      idleTimeout: IDLE_TIMEOUT_S,
      // Never reached, because sockets leave the native topic long before: see live.ts. 33 frames may be under way.
      backpressureLimit: 33 * (this.#limits.maxBodyBytes + 1024 * 1024),
      perMessageDeflate: false,
    };
  }

  /** A peer that takes nothing for long is gone or stuck; it learns where it stood when it connects again. */
  #cutStalled(): void {
    const longAgoMs = performance.now() - this.#limits.stallMs;
    for (const connection of this.#connections) {
      if ((connection.stalledSinceMs ?? longAgoMs) < longAgoMs) connection.terminate();
    }
  }

  #receive(connection: Connection, message: string | Buffer): void {
    if (connection.unanswered >= MAX_UNANSWERED) {
      connection.end(closeCode.tryAgainLater, "too many frames wait for their answer");
      return;
    }
    const frame = typeof message === "string" ? message : undefined;
    connection.answer(answerFrame(frame, { bus: this.#bus, connection, maxPatterns: this.#limits.maxPatterns }));
  }
}

function upgradeRequired(): BusError {
  return new BusError(
    "upgrade_required",
    "this address is for WebSockets: connect with ws:// or wss://, or use /api/events/stream",
  );
}
