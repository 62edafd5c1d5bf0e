import { expect } from "bun:test";
import type { EventMessage } from "../../src/protocol/event.ts";
import { type Problem, problems } from "../../src/protocol/problem.ts";
import { type Send, sendByHttp, WebSocketSender } from "./load-senders.ts";
import type { Pace } from "./pace.ts";

export interface Publishers {
  /** That publish one event a request. */
  readonly single: number;
  /** That publish up to 50 events a request. */
  readonly many: number;
  /** That publish with an `Idempotency-Key`, and repeat what was not answered. */
  readonly keyed: number;
  /** That publish one event a frame over a WebSocket each. */
  readonly socket: number;
}

/** One request, and the data of the events in it. No two events of a load have the same data. */
export interface Attempt {
  readonly data: readonly string[];
  readonly key?: string;
}

/** Gives numbers from 0 up to, not including, 1; the same ones for the same seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Publishers that go on until their server is gone, and remember what it has promised them: over several lives of a
 * server. The history can then be compared with the promises.
 */
export class Load {
  readonly #random: () => number;
  /** Id by data, as acknowledged: by data, so that an id that is given a second time does not hide the first. */
  readonly #acknowledged = new Map<string, number>();
  /** Requests without an answer: each may be kept as a whole, or not at all. */
  readonly #unknown: Attempt[] = [];
  /** Data of requests that were refused: none of it may be kept. */
  readonly #refused: string[] = [];
  /** Codes of the problems that were answered. */
  readonly problems: string[] = [];
  #attempts = 0;
  #forgotten = 0;
  #pace: Pace | undefined;
  #running: Promise<unknown> = Promise.resolve();
  #target = 0;
  #reached: () => void = () => {};

  constructor(random: () => number) {
    this.#random = random;
  }

  /** Events that were acknowledged so far. */
  get acknowledged(): number {
    return this.#forgotten + this.#acknowledged.size;
  }

  /** Forgets what was acknowledged, so that a long run does not fill its memory. It cannot be checked then. */
  forget(): void {
    this.#forgotten += this.#acknowledged.size;
    this.#acknowledged.clear();
  }

  /** Requests that have no answer. */
  get unanswered(): number {
    return this.#unknown.length;
  }

  /** Without a pace, each publisher goes on as soon as it was answered. */
  start(url: string, { single, many, keyed, socket }: Publishers, pace?: Pace): void {
    this.#pace = pace;
    const repeats = this.#unknown.filter(({ key }) => key !== undefined);
    const send = sendByHttp(url);
    const publishers = [
      ...Array.from({ length: single }, () => this.#publish(send, () => this.#attempt(1))),
      ...Array.from({ length: many }, () =>
        this.#publish(send, () => this.#attempt(1 + Math.floor(this.#random() * 50))),
      ),
      ...Array.from({ length: keyed }, () => this.#publish(send, () => repeats.pop() ?? this.#attempt(1, true))),
      ...Array.from({ length: socket }, () => this.#publishByWebSocket(url)),
    ];
    this.#running = Promise.all(publishers);
  }

  /** Resolves when this many more events were acknowledged, or the server is gone. */
  async untilAcknowledged(more: number): Promise<void> {
    this.#target = this.acknowledged + more;
    if (more === 0) return;
    await Promise.race([this.#running, new Promise<void>((resolve) => (this.#reached = resolve))]);
  }

  /** Resolves when every publisher has noticed that the server is gone. */
  async ended(): Promise<void> {
    await this.#running;
  }

  /** Fails the test unless this history, whole and oldest first, keeps every promise. */
  check(events: readonly EventMessage[]): void {
    this.checkNewest(events);
    expect(events[0]?.id ?? 1).toBe(1);
    const kept = new Set(events.map(dataOf));
    const torn = this.#unknown.filter(({ data }) => data.some((one) => kept.has(one) !== kept.has(data[0] ?? "")));
    expect(torn).toEqual([]);
    const unknown = this.#unknown.flatMap(({ data }) => data).filter((data) => kept.has(data));
    expect(kept.size).toBe(new Set([...this.#acknowledged.keys(), ...unknown]).size);
  }

  /** The same for a history from which retention has removed the oldest events. */
  checkNewest(events: readonly EventMessage[]): void {
    const first = events[0]?.id ?? 1;
    const kept = events.map(dataOf);
    expect(events.map(({ id }) => id)).toEqual(events.map((_, index) => first + index));
    expect(events.filter(({ created_at }, index) => created_at < (events[index - 1]?.created_at ?? ""))).toEqual([]);
    expect(new Set(kept).size).toBe(kept.length);
    expect([...this.#acknowledged].filter(([data, id]) => id >= first && kept[id - first] !== data)).toEqual([]);
    const all = new Set(kept);
    expect(this.#refused.filter((data) => all.has(data))).toEqual([]);
  }

  #attempt(count: number, isKeyed = false): Attempt {
    const name = `${++this.#attempts}`;
    const data = Array.from({ length: count }, (_, index) => `${name}.${index}`);
    return isKeyed ? { data, key: `key-${name}` } : { data };
  }

  async #publishByWebSocket(url: string): Promise<void> {
    using sender = await WebSocketSender.open(url).catch(() => undefined);
    if (sender !== undefined)
      await this.#publish(
        (attempt) => sender.send(attempt),
        () => this.#attempt(1),
      );
  }

  async #publish(send: Send, next: () => Attempt): Promise<void> {
    for (let isGone = false; !isGone; ) {
      const attempt = next();
      await this.#pace?.take(attempt.data.length);
      const answer = await send(attempt);
      if (answer === undefined) this.#note(attempt);
      else if ("firstId" in answer) this.#accept(attempt, answer.firstId);
      else this.#reject(attempt, answer);
      isGone = answer === undefined || ("code" in answer && problems[answer.code].status === 503);
    }
  }

  #note(attempt: Attempt): void {
    if (!this.#unknown.includes(attempt)) this.#unknown.push(attempt);
  }

  #accept(attempt: Attempt, firstId: number): void {
    for (const [index, data] of attempt.data.entries()) this.#acknowledged.set(data, firstId + index);
    const place = this.#unknown.indexOf(attempt);
    if (place !== -1) this.#unknown.splice(place, 1);
    if (this.acknowledged >= this.#target) this.#reached();
  }

  #reject(attempt: Attempt, problem: Pick<Problem, "code" | "detail">): void {
    this.problems.push(problem.code);
    if (problem.detail.includes("is unknown")) {
      this.#note(attempt);
      return;
    }
    // What is rejected now may have been stored before, if the first response was lost.
    if (!this.#unknown.includes(attempt)) this.#refused.push(...attempt.data);
  }
}

function dataOf({ data }: EventMessage): string {
  return String(data);
}
