import type { Server, WebSocketHandler } from "bun";
import type { Principal } from "../../bus/access/principal.ts";
import type { Bus } from "../../bus/bus.ts";
import type { BehindAt } from "../../bus/delivery/behind.ts";
import type { Groups } from "../../bus/delivery/groups.ts";
import { BusError } from "../../bus/errors.ts";
import { parsePattern } from "../../bus/patterns/pattern.ts";
import { closeCode } from "../../protocol/frames.ts";
import type { Guests } from "../access/guests.ts";
import { AttendedTime } from "../limits/attended-time.ts";
import { FrameTurns } from "../limits/frame-turns.ts";
import type { LimitName } from "../limits/limits.ts";
import { rateKey } from "../limits/publish-rates.ts";
import { type SubscriberLimits, tooManyPatterns } from "../limits/subscriber-limits.ts";
import { patternParameter, Query } from "../request/query.ts";
import { lastParameter, sinceParameter, startOf } from "../request/start.ts";
import { Connection } from "./connection.ts";
import type { Workplaces } from "./consuming.ts";
import { answerFrame } from "./frames.ts";
import { Heartbeat, PING_MS } from "./heartbeat.ts";
import { type Publisher, SocketChannel } from "./socket-channel.ts";

export const SUBSCRIBE_PATH = "/api/events/subscribe";

/** Largest frame from a client. Fixed by the interface. */
const MAX_FRAME_BYTES = 1024 * 1024;
/** Maximum number of frames of one client that are waiting for their response; with more, it is closed. */
const MAX_UNANSWERED_FRAMES = 10_000;
/** Maximum size of these frames together; enough for 10,000 frames of usual size. */
const MAX_UNANSWERED_BYTES = 16 * MAX_FRAME_BYTES;
/** Checks of each socket within the stall time: a stall is noticed at most a quarter of it late. */
const SWEEPS_PER_STALL = 8;
/** Checks of each socket between two pings: each time a thirtieth of them is pinged. */
const SWEEPS_PER_PING = 30;
/**
 * A round over all sockets is done in this many parts, so that 10,000 of them never block the loop for a millisecond.
 */
const PARTS_PER_SWEEP = 16;
/** How long a server that stops waits for peers to read their output, in milliseconds. */
export const DRAIN_MS = 3000;
/** The only version in use (RFC 6455); the response to any other names it. */
const WEBSOCKET_VERSION = "13";
/** Bun's reason when it closes a socket with 1009. */
const FRAME_TOO_BIG = "Received too big message";
/**
 * Bytes waiting in one socket after which Bun silently drops messages. Never reached: what is waiting is bounded by
 * `Tuning`, the largest event, see `SocketChannel`, and the pongs that may be waiting.
 */
const BACKPRESSURE_LIMIT_BYTES = 1024 ** 3;

export const subscribeQuery = new Query({
  pattern: patternParameter(),
  since: sinceParameter,
  last: lastParameter,
});

/** The WebSocket edge: the connected subscribers, and Bun's handlers for them. */
export class Subscriptions {
  readonly #bus: Bus;
  readonly #limits: SubscriberLimits;
  readonly #guests: Guests;
  /** By Bun's server, as there is another one for each certificate. */
  readonly #groups = new Map<Publisher, Groups<Connection>>();
  readonly #frames = new FrameTurns<Connection, string | Buffer>((...frame) => this.#begin(...frame));
  readonly #connections = new Set<Connection>();
  /** The sockets that are still to be checked in this round. */
  #round = this.#connections.values();
  readonly websocket: WebSocketHandler<Connection>;
  readonly #pingMs: number;
  /** The time by which peers are judged. The sweep reads it often enough. */
  readonly #time = new AttendedTime();
  readonly #consumers: Workplaces | undefined;
  readonly #addressOf: (request: Request) => string | undefined;
  readonly #sweep: ReturnType<typeof setInterval>;
  #cutting: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  /** `addressOf` returns the client's address; undefined when it is unknown. Without `consumers` there are none. */
  constructor(
    bus: Bus,
    limits: SubscriberLimits,
    guests: Guests,
    addressOf: (request: Request) => string | undefined = () => undefined,
    consumers?: Workplaces,
  ) {
    this.#bus = bus;
    this.#addressOf = addressOf;
    this.#consumers = consumers;
    this.#guests = guests;
    this.#limits = limits;
    this.websocket = this.#handlers();
    this.#pingMs = limits.pingMs ?? PING_MS;
    const sweepMs = Math.min(limits.stallMs / SWEEPS_PER_STALL, this.#pingMs / SWEEPS_PER_PING);
    this.#sweep = setInterval(() => this.#lookAtSome(), sweepMs / PARTS_PER_SWEEP);
  }

  get size(): number {
    return this.#connections.size;
  }

  /** Number of subscribers that are live, and that replay from the history. */
  get states(): { live: number; replay: number } {
    let live = 0;
    for (const connection of this.#connections) if (connection.isLive) live++;
    return { live, replay: this.#connections.size - live };
  }

  /** Every subscriber that is connected. */
  get all(): Iterable<Connection> {
    return this.#connections;
  }

  /** The members that are behind, by position. */
  *behind(): Iterable<BehindAt> {
    for (const groups of this.#groups.values()) yield* groups.behind();
  }

  /** Upgrades the request to a WebSocket. Throws the error of an invalid request before the upgrade. */
  upgrade(request: Request, server: Server<Connection>, principal: Principal): undefined {
    const { pattern, since, last } = subscribeQuery.read(request.url);
    const start = startOf(since, last, this.#bus.highestId);
    if (pattern.length > this.#limits.maxPatterns) throw tooManyPatterns(this.#limits.maxPatterns);
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") throw upgradeRequired();
    // Bun itself would respond without a body.
    if (request.headers.get("sec-websocket-version") !== WEBSOCKET_VERSION) throw upgradeRequired();
    if (this.#isClosed) throw new BusError("shutting_down", "the server is shutting down: connect again in a moment");
    const data = new Connection({
      groups: this.#groupsOf(server),
      principal,
      address: this.#addressOf(request),
      patterns: pattern.length === 0 ? [parsePattern("*")] : pattern,
      start,
      tuning: this.#bus.tuning,
      waiting: this.#limits.waiting,
      heartbeat: new Heartbeat(this.#pingMs, this.#time.nowMs),
      time: this.#time,
      countPublish: this.#meterOf(request, principal),
    });
    for (const { text } of pattern) this.#limits.onPattern?.(text);
    this.#limits.slots.take();
    this.#guests.add(principal, data);
    // Without a header, Bun echoes the first offered protocol, which may contain a token.
    request.headers.delete("sec-websocket-protocol");
    if (!server.upgrade(request, { data })) {
      this.#limits.slots.free();
      this.#guests.delete(principal, data);
      throw upgradeRequired();
    }
    return undefined;
  }

  /**
   * Reports to every subscriber, once its frames are answered, that the server stops; accepts no more. May be called
   * twice.
   */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#sweep);
    if (this.#connections.size === 0) return;
    this.#cutting = setTimeout(() => {
      for (const connection of this.#connections) connection.terminate();
    }, DRAIN_MS);
    for (const connection of this.#connections) {
      const end = () => connection.end(closeCode.restart, "the server is stopping: reconnect and resume");
      void connection.answers.whenEmpty().then(end);
    }
  }

  #meterOf(request: Request, principal: Principal): (() => void) | undefined {
    const { rates } = this.#limits;
    if (rates === undefined) return undefined;
    const key = rateKey(principal, this.#addressOf(request));
    return () => rates.take(key, 1);
  }

  #groupsOf(server: Publisher): Groups<Connection> {
    const known = this.#groups.get(server);
    if (known) return known;
    const groups = this.#bus.openGroups<Connection>({
      transport: "websocket",
      replays: this.#limits.spareTime.replays,
      openChannel: () => new SocketChannel(server),
    });
    this.#groups.set(server, groups);
    return groups;
  }

  #handlers(): WebSocketHandler<Connection> {
    return {
      open: (socket) => {
        this.#connections.add(socket.data);
        socket.data.open(socket);
      },
      message: (socket, message) => this.#receive(socket.data, message),
      drain: (socket) => socket.data.drained(),
      ping: (socket, payload) => {
        if (!socket.data.pinged(payload.length)) this.#cut(socket.data, "unanswered");
      },
      pong: (socket) => socket.data.heard(),
      close: (socket, _, reason) => {
        if (reason === FRAME_TOO_BIG) this.#limits.onLimit?.("frame");
        this.#connections.delete(socket.data);
        this.#guests.delete(socket.data.principal, socket.data);
        this.#limits.slots.free();
        socket.data.closed(this.#isClosed);
        if (this.#connections.size === 0) clearTimeout(this.#cutting);
      },
      maxPayloadLength: MAX_FRAME_BYTES,
      // `Heartbeat` detects what these do not: a peer that does not respond while messages flow to it.
      idleTimeout: 0,
      sendPings: false,
      backpressureLimit: BACKPRESSURE_LIMIT_BYTES,
      perMessageDeflate: false,
    };
  }

  /** Checks the next part of the sockets. New ones are checked in the same round, or the next. */
  #lookAtSome(): void {
    const { nowMs } = this.#time;
    for (let left = Math.ceil(this.#connections.size / PARTS_PER_SWEEP); left > 0; left--) {
      const { value: connection } = this.#round.next();
      if (connection) this.#lookAt(connection, nowMs);
      else this.#round = this.#connections.values();
    }
  }

  /**
   * A peer that reads or sends nothing for too long is lost or stuck. It resumes at its position when it connects
   * again.
   */
  #lookAt(connection: Connection, nowMs: number): void {
    if (connection.stalledMs(nowMs) >= this.#limits.stallMs) this.#cut(connection, "stall");
    else if (!connection.beat(nowMs)) this.#cut(connection, "silence");
  }

  #cut(connection: Connection, limit: LimitName): void {
    this.#limits.onLimit?.(limit);
    connection.terminate();
  }

  #receive(connection: Connection, message: string | Buffer): void {
    if (this.#isClosed || connection.isEnded) return;
    connection.heard();
    const { frames, bytes } = connection.answers;
    if (frames >= MAX_UNANSWERED_FRAMES || bytes >= MAX_UNANSWERED_BYTES) {
      this.#limits.onLimit?.("unanswered");
      connection.end(closeCode.tryAgainLater, "too many frames are waiting for an answer");
      return;
    }
    connection.answers.expect(message.length);
    this.#frames.receive(connection, message);
  }

  #begin(connection: Connection, message: string | Buffer): void {
    if (connection.isEnded) return;
    const frame = typeof message === "string" ? message : undefined;
    const { maxPatterns, onLimit, onPattern } = this.#limits;
    const answer = answerFrame(frame, {
      bus: this.#bus,
      connection,
      consumers: this.#consumers,
      maxPatterns,
      onLimit,
      onPattern,
    });
    connection.answers.add(answer, message.length);
  }
}

function upgradeRequired(): BusError {
  return new BusError(
    "upgrade_required",
    "this address is for WebSockets: connect with ws:// or wss://, or use /api/events/stream",
  );
}
