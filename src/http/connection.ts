import type { ServerWebSocket } from "bun";
import type { Cursor } from "../bus/cursor.ts";
import { Event } from "../bus/event.ts";
import type { Pattern } from "../bus/pattern.ts";
import { PatternSet } from "../bus/pattern-set.ts";
import type { LiveSocket, LiveTopic, LiveTopics, Publisher } from "./live.ts";

/** Events read from history in one turn for one socket: about a millisecond's work. */
const PAGE_EVENTS = 250;
/** History is read on when no more than this waits to be sent. */
const RESUME_BYTES = 64 * 1024;

/**
 * One WebSocket subscriber.
 *
 * It is either *live*, and gets events by Bun's native publish; or it *replays*: pages of history, only as fast as it
 * reads. A page that reaches the end and the change to live happen in one turn of the loop, so nothing comes between.
 */
export class Connection implements LiveSocket {
  readonly #cursor: Cursor;
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

  constructor(cursor: Cursor, patterns: readonly Pattern[], lives: LiveTopics, publisher: Publisher) {
    this.#cursor = cursor;
    this.#lives = lives;
    this.#publisher = publisher;
    for (const pattern of patterns) this.#patterns.set(pattern.text, { pattern, after: 0 });
    this.#topics = new PatternSet(patterns);
  }

  get bufferedBytes(): number {
    return this.#socket?.getBufferedAmount() ?? 0;
  }

  get isLive(): boolean {
    return this.#live !== undefined;
  }

  get patternCount(): number {
    return this.#patterns.size;
  }

  /** Answers that are still to come. */
  get unanswered(): number {
    return this.#unanswered;
  }

  /** The socket is open: begin. */
  open(socket: ServerWebSocket<Connection>): void {
    this.#socket = socket;
    this.#pump();
  }

  /** The socket has sent what it was given. */
  drained(): void {
    this.#pump();
  }

  /** Closes the socket, after what was sent to it. */
  end(code: number, reason: string): void {
    this.#leaveLive();
    this.#socket?.close(code, reason);
  }

  /** The socket is gone. */
  closed(): void {
    this.#leaveLive();
    this.#socket = undefined;
  }

  /** The socket reads more slowly than events come, `lastId` being the last one it was given: replay from there. */
  fallBehind(lastId: number): void {
    this.#leaveLive();
    this.#cursor.moveTo(lastId);
    this.#schedulePump();
  }

  /** Wants these events too, from the next one on. False when it did already. */
  addPattern(pattern: Pattern, head: number): boolean {
    if (this.#patterns.has(pattern.text)) return false;
    this.#patterns.set(pattern.text, { pattern, after: head });
    this.#changeTopics(head);
    return true;
  }

  /** Wants these events no more. False when it did not. */
  removePattern(pattern: Pattern, head: number): boolean {
    if (!this.#patterns.delete(pattern.text)) return false;
    this.#changeTopics(head);
    return true;
  }

  /** Sends the answer once all earlier ones are sent; undefined is no answer. */
  answer(work: Promise<string | undefined>): void {
    this.#unanswered++;
    this.#answers = this.#answers.then(async () => {
      const text = await work;
      this.#unanswered--;
      if (text !== undefined) this.#socket?.send(text);
    });
  }

  #changeTopics(head: number): void {
    this.#topics = new PatternSet([...this.#patterns.values()].map(({ pattern }) => pattern));
    this.#cursor.topics = this.#topics;
    if (!this.#live) return;
    this.#leaveLive();
    this.#cursor.moveTo(head);
    this.#goLive();
  }

  #schedulePump(): void {
    if (this.#isPumpScheduled) return;
    this.#isPumpScheduled = true;
    setImmediate(() => {
      this.#isPumpScheduled = false;
      this.#pump();
    });
  }

  /** Sends one page of history if the socket has room for it, and goes live at its end. */
  #pump(): void {
    if (this.#socket === undefined || this.#live !== undefined) return;
    if (this.bufferedBytes > RESUME_BYTES) return;
    const { items, isAtEnd } = this.#cursor.take(PAGE_EVENTS);
    for (const item of items) {
      if (!(item instanceof Event)) this.#socket.send(JSON.stringify(item));
      else if (this.#wants(item)) this.#socket.send(item.json);
    }
    if (isAtEnd) this.#goLive();
    else this.#schedulePump();
  }

  /** A pattern that was added during the replay starts where it was added, not where the replay stands. */
  #wants(event: Event): boolean {
    for (const { pattern, after } of this.#patterns.values()) {
      if (event.id > after && pattern.matches(event.topic)) return true;
    }
    return false;
  }

  #goLive(): void {
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
