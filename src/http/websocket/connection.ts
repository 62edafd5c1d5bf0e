import type { ServerWebSocket } from "bun";
import type { Principal } from "../../bus/access/principal.ts";
import { type KeyedMatcher, within } from "../../bus/access/scope.ts";
import type { Member } from "../../bus/delivery/cohort.ts";
import { Follower, type Standing } from "../../bus/delivery/follower.ts";
import type { Groups } from "../../bus/delivery/groups.ts";
import type { Event } from "../../bus/event.ts";
import type { Pattern } from "../../bus/patterns/pattern.ts";
import { PatternSet } from "../../bus/patterns/pattern-set.ts";
import type { Start } from "../../bus/start.ts";
import type { Tuning } from "../../bus/tuning.ts";
import { type ControlMessage, closeCode } from "../../protocol/frames.ts";
import type { Guest } from "../access/guests.ts";
import type { AttendedTime } from "../limits/attended-time.ts";
import { type Waiting, WaitingAccount } from "../limits/waiting.ts";
import type { Subscribed } from "../response/subscriber-list.ts";
import { Consuming, type TakingSocket } from "./consuming.ts";
import { FrameAnswers } from "./frame-answers.ts";
import type { Heartbeat } from "./heartbeat.ts";
import type { ChannelSocket, SocketChannel } from "./socket-channel.ts";

/** How long a peer has to take the close frame, in milliseconds. */
const EXPEL_MS = 1000;
/**
 * Approximate growth of the process for each byte that is waiting in a socket: buffers grow by doubling, leave smaller
 * ones behind, and are examined only now and then.
 */
const MEMORY_PER_BYTE = 4;

/**
 * Pongs that may be waiting in a socket, in bytes: five hundred of the largest. A peer that is slow to read, and pings
 * once per second, has fewer.
 */
const MAX_WAITING_PONG_BYTES = 64 * 1024;
/**
 * Pings of a peer between two looks at it, which are a second apart by default. Bun reads a hundred thousand at once,
 * and each takes some of the loop.
 */
const MAX_PINGS = 1000;
/** Size of a pong without its payload. */
const PONG_HEAD_BYTES = 2;

export interface ConnectionOptions {
  readonly groups: Groups<Connection>;
  readonly principal: Principal;
  /** The client's address; undefined when it is unknown. */
  readonly address: string | undefined;
  readonly patterns: readonly Pattern[];
  readonly start: Start;
  readonly tuning: Tuning;
  readonly waiting: Waiting;
  readonly heartbeat: Heartbeat;
  /** The clock of the heartbeat. */
  readonly time: AttendedTime;
  /** Counts an event that the client publishes; throws `rate_limited`. Undefined: no limit. */
  readonly countPublish: (() => void) | undefined;
}

/** One WebSocket subscriber. It receives events by Bun's native publish, together with others at the same position. */
export class Connection implements Member, ChannelSocket, Guest, TakingSocket, Subscribed {
  readonly transport = "websocket";
  /** The caller. Its scope limits everything that it receives and publishes. */
  readonly principal: Principal;
  readonly address: string | undefined;
  /** When it connected, in milliseconds since 1970. */
  readonly connectedMs: number;
  /** Counts an event that the client publishes; throws `rate_limited`. Undefined: no limit. */
  readonly countPublish: (() => void) | undefined;
  /** The responses to the client's frames. */
  readonly answers = new FrameAnswers({
    hasRoom: () => this.#hasRoomFor(this.#tuning.maxWaitingBytes),
    send: (texts) => this.#sendTogether(texts),
  });
  /** What it takes from consumers. */
  readonly consuming = new Consuming(this);
  readonly #follower: Follower<Connection>;
  readonly #tuning: Tuning;
  readonly #waiting: Waiting;
  readonly #account: WaitingAccount;
  readonly #heartbeat: Heartbeat;
  readonly #time: AttendedTime;
  /** Each pattern, with the id after which its events are wanted. */
  readonly #patterns = new Map<string, { pattern: Pattern; after: number }>();
  /** How to close it, once it is ending. */
  #farewell: { readonly code: number; readonly reason: string } | undefined;
  #socket: ServerWebSocket<Connection> | undefined;
  #channel: SocketChannel | undefined;
  /** Characters sent before it joined its channel, and the count of the channel at that moment. */
  #sentCharacters = 0;
  #enteredAtCharacters = 0;
  #stalledSinceMs: number | undefined;
  /** How much of what is waiting may be pongs, at most. */
  #pongBytes = 0;
  /** Pings since the last look. */
  #pings = 0;

  constructor(options: ConnectionOptions) {
    const { groups, principal, address, patterns, start, tuning, waiting, heartbeat, time, countPublish } = options;
    this.principal = principal;
    this.address = address;
    this.connectedMs = groups.clock();
    this.countPublish = countPublish;
    this.#tuning = tuning;
    this.#waiting = waiting;
    this.#account = new WaitingAccount(waiting);
    this.#heartbeat = heartbeat;
    this.#time = time;
    for (const pattern of patterns) this.#patterns.set(pattern.text, { pattern, after: 0 });
    const scope = principal.subscribe.isEverything ? undefined : principal.subscribe;
    this.#follower = new Follower(groups, this, { topics: this.#topics, scope, start });
  }

  /** Bytes that are waiting to be sent. */
  get bufferedBytes(): number {
    const bytes = this.#socket?.getBufferedAmount() ?? 0;
    this.#account.set(bytes * MEMORY_PER_BYTE);
    return bytes;
  }

  get hasRoom(): boolean {
    return this.#hasRoomFor(this.#tuning.resumeBytes);
  }

  get isFull(): boolean {
    const bytes = this.bufferedBytes;
    return bytes >= this.#tuning.maxWaitingBytes || bytes > this.#limitBytes;
  }

  /** Whether at most this many bytes are waiting. Always true if none are, as no drain would be reported then. */
  #hasRoomFor(most: number): boolean {
    const bytes = this.bufferedBytes;
    return bytes === 0 || bytes <= Math.min(most, this.#limitBytes);
  }

  get #limitBytes(): number {
    return this.#waiting.limitBytes / MEMORY_PER_BYTE;
  }

  get isLive(): boolean {
    return this.#follower.isLive;
  }

  get standing(): Standing {
    return this.#follower.standing;
  }

  get waitingBytes(): number {
    return this.bufferedBytes;
  }

  /** As they were written. */
  get patterns(): readonly string[] {
    return [...this.#patterns.keys()];
  }

  get patternCount(): number {
    return this.#patterns.size;
  }

  hasPattern(pattern: Pattern): boolean {
    return this.#patterns.has(pattern.text);
  }

  /** How long the peer has read none of its waiting output, as far as earlier calls could observe. */
  stalledMs(nowMs: number): number {
    if (this.bufferedBytes === 0) this.#stalledSinceMs = undefined;
    else this.#stalledSinceMs ??= nowMs;
    return nowMs - (this.#stalledSinceMs ?? nowMs);
  }

  /** Whether it is ending: frames that still arrive are ignored. */
  get isEnded(): boolean {
    return this.#farewell !== undefined;
  }

  /** The peer has sent something. */
  heard(): void {
    this.#heartbeat.heard(this.#time.nowMs, this.#sentInAll);
  }

  /**
   * The peer has sent a ping of this many bytes, to which Bun responds by itself, whatever is waiting. Returns false if
   * there were too many, or too many of the responses are waiting.
   */
  pinged(payloadBytes: number): boolean {
    this.heard();
    this.#pongBytes = Math.min(this.#pongBytes + PONG_HEAD_BYTES + payloadBytes, this.bufferedBytes);
    return ++this.#pings <= MAX_PINGS && this.#pongBytes <= MAX_WAITING_PONG_BYTES;
  }

  /**
   * Pings the peer when a ping is due; returns false if the peer is lost. While output is waiting, only a stall counts.
   */
  beat(nowMs: number): boolean {
    this.#pings = 0;
    if (this.bufferedBytes > 0) return true;
    const next = this.#heartbeat.next(nowMs, this.#sentInAll);
    if (next === "ping") this.#socket?.ping();
    return next !== "cut";
  }

  get #sentInAll(): number {
    const inChannel = this.#channel === undefined ? 0 : this.#channel.publishedCharacters - this.#enteredAtCharacters;
    return this.#sentCharacters + inChannel;
  }

  /** The socket is open: starts the delivery. */
  open(socket: ServerWebSocket<Connection>): void {
    this.#socket = socket;
    if (this.isEnded) this.expel();
    else this.#follower.begin();
  }

  /** The socket has sent some of its output. Waiting responses go first, then the history. */
  drained(): void {
    this.#stalledSinceMs = undefined;
    this.heard();
    this.answers.resume();
    this.consuming.wake();
    this.#follower.wake();
    this.#closeWhenSent();
  }

  /** Closes the socket once its output was sent. The first reason wins. */
  end(code: number, reason: string): void {
    this.#farewell ??= { code, reason };
    this.#follower.close();
    this.#closeWhenSent();
  }

  /** The token is no longer valid. A peer that does not read up to the close frame is disconnected a second later. */
  expel(): void {
    this.end(closeCode.policy, "the token has expired or was revoked");
    setTimeout(() => this.terminate(), EXPEL_MS);
  }

  /** Disconnects at once: the peer reads nothing, not even a close frame. */
  terminate(): void {
    this.#socket?.terminate();
  }

  /** The socket is closed, by itself or because the server stops. */
  closed(isStopping: boolean): void {
    this.#follower.close();
    this.consuming.close(isStopping);
    this.#socket = undefined;
    this.#account.set(0);
    this.answers.resume();
  }

  /** Sends deliveries of consumers. */
  deliver(texts: readonly string[]): void {
    for (const text of texts) this.#sentCharacters += text.length;
    this.#sendTogether(texts);
  }

  enter(channel: SocketChannel): void {
    this.#sentCharacters = this.#sentInAll;
    this.#channel = channel;
    this.#enteredAtCharacters = channel.publishedCharacters;
    this.#socket?.subscribe(channel.name);
  }

  leave(channel: SocketChannel): void {
    this.#socket?.unsubscribe(channel.name);
    if (this.#channel !== channel) return;
    this.#sentCharacters = this.#sentInAll;
    this.#channel = undefined;
  }

  /** Bun sends what it holds for a socket that leaves its only topic. */
  settle(channel: SocketChannel): void {
    this.#socket?.unsubscribe(channel.name);
    this.#socket?.subscribe(channel.name);
  }

  tell(message: ControlMessage): void {
    this.#socket?.send(JSON.stringify(message));
  }

  /** Subscribes to a pattern, from the next event on. */
  addPattern(pattern: Pattern, head: number): void {
    if (this.hasPattern(pattern)) return;
    this.#patterns.set(pattern.text, { pattern, after: head });
    this.#changeTopics();
  }

  /** Unsubscribes from a pattern. */
  removePattern(pattern: Pattern): void {
    if (this.#patterns.delete(pattern.text)) this.#changeTopics();
  }

  /**
   * Closes the socket once its output was sent. Bun treats a closed socket as gone at once, so a server that stops
   * would drop what is still waiting in it.
   */
  #closeWhenSent(): void {
    if (this.#farewell === undefined || this.bufferedBytes > 0) return;
    this.#socket?.close(this.#farewell.code, this.#farewell.reason);
  }

  #sendTogether(texts: readonly string[]): void {
    const socket = this.#socket;
    socket?.cork(() => {
      for (const text of texts) socket.send(text);
    });
  }

  get #topics(): KeyedMatcher {
    return within(this.principal.subscribe, new PatternSet([...this.#patterns.values()].map(({ pattern }) => pattern)));
  }

  #changeTopics(): void {
    const until = Math.max(0, ...[...this.#patterns.values()].map(({ after }) => after));
    this.#follower.change(this.#topics, { until, wants: (event) => this.#wants(event) });
  }

  /** A pattern that was added during the replay starts where it was added, not at the position of the replay. */
  #wants(event: Event): boolean {
    for (const { pattern, after } of this.#patterns.values()) {
      if (event.id > after && pattern.matches(event.topic)) return true;
    }
    return false;
  }
}
