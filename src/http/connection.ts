import type { ServerWebSocket } from "bun";
import type { Cursor } from "../bus/cursor.ts";
import { Event } from "../bus/event.ts";
import { Follower } from "../bus/follower.ts";
import type { Meter } from "../bus/meter.ts";
import type { Pattern } from "../bus/pattern.ts";
import { PatternSet } from "../bus/pattern-set.ts";
import type { Principal } from "../bus/principal.ts";
import { type KeyedMatcher, within } from "../bus/scope.ts";
import type { Tuning } from "../bus/tuning.ts";
import { closeCode } from "../protocol/frames.ts";
import { FrameAnswers } from "./frame-answers.ts";
import type { Guest } from "./guests.ts";
import type { Heartbeat } from "./heartbeat.ts";
import type { LiveSocket, LiveTopic, LiveTopics } from "./live.ts";
import type { SpareTime } from "./spare-time.ts";

/** How long a peer has to take the close frame, in milliseconds. */
const EXPEL_MS = 1000;

/** One WebSocket subscriber. Live, it gets events by Bun's native publish; behind, pages of history as fast as it reads. */
export class Connection implements LiveSocket, Guest {
  /** Who is connected: what he may see is all that comes, and he may publish where he may. */
  readonly principal: Principal;
  /** Counts an event that the client publishes; throws `rate_limited`. Undefined: as many as it likes. */
  readonly countPublish: (() => void) | undefined;
  /** The answers to the client's frames. */
  readonly answers = new FrameAnswers({
    hasRoom: () => this.bufferedBytes <= this.#tuning.maxWaitingBytes,
    send: (texts) => this.#sendTogether(texts),
  });
  readonly #follower: Follower;
  readonly #lives: LiveTopics;
  readonly #spareTime: SpareTime;
  readonly #tuning: Tuning;
  readonly #heartbeat: Heartbeat;
  readonly #meter: Meter;
  /** Each pattern with the id after which its events are wanted. */
  readonly #patterns = new Map<string, { pattern: Pattern; after: number }>();
  #topics: KeyedMatcher;
  /** How to close it, once it was decided that it ends. */
  #farewell: { readonly code: number; readonly reason: string } | undefined;
  #socket: ServerWebSocket<Connection> | undefined;
  /** Characters that were sent before it became live, and where its topic stood then. */
  #sentCharacters = 0;
  #joinedAtCharacters = 0;
  #live: LiveTopic | undefined;
  #isPumpScheduled = false;
  #stalledSinceMs: number | undefined;

  constructor(
    principal: Principal,
    cursor: Cursor,
    patterns: readonly Pattern[],
    lives: LiveTopics,
    pace: { readonly spareTime: SpareTime; readonly tuning: Tuning; readonly heartbeat: Heartbeat },
    countPublish?: () => void,
  ) {
    this.principal = principal;
    this.countPublish = countPublish;
    this.#lives = lives;
    this.#spareTime = pace.spareTime;
    this.#tuning = pace.tuning;
    this.#heartbeat = pace.heartbeat;
    this.#meter = cursor.meter;
    for (const pattern of patterns) this.#patterns.set(pattern.text, { pattern, after: 0 });
    this.#topics = within(principal.subscribe, new PatternSet(patterns));
    this.#follower = new Follower(cursor, { join: () => this.#joinLive(), leave: () => this.#leaveLive() });
  }

  get bufferedBytes(): number {
    return this.#socket?.getBufferedAmount() ?? 0;
  }

  get isLive(): boolean {
    return this.#follower.isLive;
  }

  get patternCount(): number {
    return this.#patterns.size;
  }

  hasPattern(pattern: Pattern): boolean {
    return this.#patterns.has(pattern.text);
  }

  /** For how long, as far as earlier calls could tell, the peer has taken nothing of what waits for it. */
  stalledMs(nowMs: number): number {
    if (this.bufferedBytes === 0) this.#stalledSinceMs = undefined;
    else this.#stalledSinceMs ??= nowMs;
    return nowMs - (this.#stalledSinceMs ?? nowMs);
  }

  /** Nothing that still comes from the client counts any more. */
  get isEnded(): boolean {
    return this.#farewell !== undefined;
  }

  /** The peer did something. */
  heard(): void {
    this.#heartbeat.heard(performance.now(), this.#sentInAll);
  }

  /** Pings the peer when it is time for it; false when the peer is gone. While something waits, only a stall counts. */
  beat(nowMs: number): boolean {
    if (this.bufferedBytes > 0) return true;
    const next = this.#heartbeat.next(nowMs, this.#sentInAll);
    if (next === "ping") this.#socket?.ping();
    return next !== "cut";
  }

  get #sentInAll(): number {
    const sinceJoined = this.#live === undefined ? 0 : this.#live.publishedCharacters - this.#joinedAtCharacters;
    return this.#sentCharacters + sinceJoined;
  }

  /** The socket is open: begin. */
  open(socket: ServerWebSocket<Connection>): void {
    this.#socket = socket;
    if (this.isEnded) this.expel();
    else this.#pump();
  }

  /** The socket has sent some of what it was given. Answers that wait go first, then the history. */
  drained(): void {
    this.#stalledSinceMs = undefined;
    this.heard();
    this.answers.resume();
    this.#schedulePump();
    this.#closeWhenSent();
  }

  /** Closes the socket, once what was sent to it is on its way. How it was ended first counts. */
  end(code: number, reason: string): void {
    this.#farewell ??= { code, reason };
    this.#follower.close();
    this.#closeWhenSent();
  }

  /** The token is not valid any more. A peer that does not read on to the close frame is cut a second later. */
  expel(): void {
    this.end(closeCode.policy, "the token has expired or was revoked");
    setTimeout(() => this.terminate(), EXPEL_MS);
  }

  /** Cuts the connection: the peer takes nothing, not even a close frame. */
  terminate(): void {
    this.#socket?.terminate();
  }

  /** The socket is gone. */
  closed(): void {
    this.#follower.close();
    this.#socket = undefined;
    this.answers.resume();
  }

  fallBehind(lastId: number): void {
    this.#follower.fallBehind(lastId);
    this.#schedulePump();
  }

  /** Wants these events too, from the next one on. */
  addPattern(pattern: Pattern, head: number): void {
    if (this.hasPattern(pattern)) return;
    this.#patterns.set(pattern.text, { pattern, after: head });
    this.#changeTopics(head);
  }

  /** Wants these events no more. */
  removePattern(pattern: Pattern, head: number): void {
    if (this.#patterns.delete(pattern.text)) this.#changeTopics(head);
  }

  /** A socket that is closed before counts as gone for Bun at once: a server that stops would cut what still waits in it. */
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

  #changeTopics(head: number): void {
    const asked = new PatternSet([...this.#patterns.values()].map(({ pattern }) => pattern));
    this.#topics = within(this.principal.subscribe, asked);
    this.#follower.changeTopics(this.#topics, head);
  }

  #schedulePump(): void {
    if (this.#isPumpScheduled || this.isLive || this.isEnded) return;
    this.#isPumpScheduled = true;
    this.#spareTime.run(() => {
      this.#isPumpScheduled = false;
      this.#pump();
    });
  }

  /** Sends one page of history if the socket has room for it; the next one in another turn. */
  #pump(): void {
    const socket = this.#socket;
    if (socket === undefined || this.isLive || this.isEnded) return;
    if (this.bufferedBytes > this.#tuning.resumeBytes) return;
    const items = this.#follower.read(this.#tuning.pageEvents);
    socket.cork(() => {
      for (const item of items) {
        if (!(item instanceof Event)) socket.send(JSON.stringify(item));
        else if (this.#wants(item)) {
          socket.send(item.json);
          this.#sentCharacters += item.json.length;
          this.#meter.deliver("websocket", 1, item.json.length);
        }
      }
    });
    this.#schedulePump();
  }

  /** A pattern that was added during the replay starts where it was added, not where the replay stands. */
  #wants(event: Event): boolean {
    for (const { pattern, after } of this.#patterns.values()) {
      if (event.id > after && pattern.matches(event.topic)) return true;
    }
    return false;
  }

  #joinLive(): void {
    this.#live = this.#lives.join(this, this.#topics);
    this.#joinedAtCharacters = this.#live.publishedCharacters;
    this.#socket?.subscribe(this.#live.name);
  }

  #leaveLive(): void {
    if (this.#live === undefined) return;
    this.#socket?.unsubscribe(this.#live.name);
    this.#lives.leave(this, this.#live);
    this.#sentCharacters = this.#sentInAll;
    this.#live = undefined;
  }
}
