import type { ServerWebSocket } from "bun";
import type { Cursor } from "../bus/cursor.ts";
import { Event } from "../bus/event.ts";
import { Follower } from "../bus/follower.ts";
import type { Pattern } from "../bus/pattern.ts";
import { PatternSet } from "../bus/pattern-set.ts";
import type { LiveSocket, LiveTopic, LiveTopics, Publisher } from "./live.ts";

/** Events read from history in one turn for one socket: about a millisecond's work. */
const PAGE_EVENTS = 250;
/** History is read on when no more than this waits to be sent. */
const RESUME_BYTES = 64 * 1024;

/** One WebSocket subscriber. Live, it gets events by Bun's native publish; behind, pages of history as fast as it reads. */
export class Connection implements LiveSocket {
  readonly #follower: Follower;
  readonly #lives: LiveTopics;
  readonly #publisher: Publisher;
  /** Each pattern with the id after which its events are wanted. */
  readonly #patterns = new Map<string, { pattern: Pattern; after: number }>();
  #topics: PatternSet;
  #socket: ServerWebSocket<Connection> | undefined;
  #live: LiveTopic | undefined;
  #isPumpScheduled = false;
  /** Answers to the client's frames go out in the order in which the frames came. */
  #answers: Promise<void> = Promise.resolve();
  #unanswered = 0;
  #sentMs = performance.now();

  constructor(cursor: Cursor, patterns: readonly Pattern[], lives: LiveTopics, publisher: Publisher) {
    this.#lives = lives;
    this.#publisher = publisher;
    for (const pattern of patterns) this.#patterns.set(pattern.text, { pattern, after: 0 });
    this.#topics = new PatternSet(patterns);
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

  /** Answers that are still to come. */
  get unanswered(): number {
    return this.#unanswered;
  }

  /** Since when bytes wait that the peer does not take, on the clock of `performance.now`; undefined when none do. */
  get stalledSinceMs(): number | undefined {
    return this.bufferedBytes > 0 ? this.#sentMs : undefined;
  }

  /** The socket is open: begin. */
  open(socket: ServerWebSocket<Connection>): void {
    this.#socket = socket;
    this.#pump();
  }

  /** The socket has sent some of what it was given. */
  drained(): void {
    this.#sentMs = performance.now();
    this.#pump();
  }

  /** Closes the socket, after what was sent to it. */
  end(code: number, reason: string): void {
    this.#follower.close();
    this.#socket?.close(code, reason);
  }

  /** Cuts the connection: the peer takes nothing, not even a close frame. */
  terminate(): void {
    this.#socket?.terminate();
  }

  /** The socket is gone. */
  closed(): void {
    this.#follower.close();
    this.#socket = undefined;
  }

  fallBehind(lastId: number): void {
    this.#follower.fallBehind(lastId);
    this.#schedulePump();
  }

  /** Wants these events too, from the next one on. */
  addPattern(pattern: Pattern, head: number): void {
    if (this.#patterns.has(pattern.text)) return;
    this.#patterns.set(pattern.text, { pattern, after: head });
    this.#changeTopics(head);
  }

  /** Wants these events no more. */
  removePattern(pattern: Pattern, head: number): void {
    if (this.#patterns.delete(pattern.text)) this.#changeTopics(head);
  }

  /** Sends the answer once all earlier ones are sent. */
  answer(work: Promise<string>): void {
    this.#unanswered++;
    this.#answers = this.#answers.then(async () => {
      const text = await work;
      this.#unanswered--;
      this.#socket?.send(text);
    });
  }

  #changeTopics(head: number): void {
    this.#topics = new PatternSet([...this.#patterns.values()].map(({ pattern }) => pattern));
    this.#follower.changeTopics(this.#topics, head);
  }

  #schedulePump(): void {
    if (this.#isPumpScheduled) return;
    this.#isPumpScheduled = true;
    setImmediate(() => {
      this.#isPumpScheduled = false;
      this.#pump();
    });
  }

  /** Sends one page of history if the socket has room for it; the next one in another turn. */
  #pump(): void {
    if (this.#socket === undefined || this.isLive || this.bufferedBytes > RESUME_BYTES) return;
    if (this.bufferedBytes === 0) this.#sentMs = performance.now();
    for (const item of this.#follower.read(PAGE_EVENTS)) {
      if (!(item instanceof Event)) this.#socket.send(JSON.stringify(item));
      else if (this.#wants(item)) this.#socket.send(item.json);
    }
    if (!this.isLive) this.#schedulePump();
  }

  /** A pattern that was added during the replay starts where it was added, not where the replay stands. */
  #wants(event: Event): boolean {
    for (const { pattern, after } of this.#patterns.values()) {
      if (event.id > after && pattern.matches(event.topic)) return true;
    }
    return false;
  }

  #joinLive(): void {
    this.#live = this.#lives.join(this, this.#topics, this.#publisher);
    this.#socket?.subscribe(this.#live.name);
  }

  #leaveLive(): void {
    if (this.#live === undefined) return;
    this.#socket?.unsubscribe(this.#live.name);
    this.#lives.leave(this, this.#live);
    this.#live = undefined;
  }
}
