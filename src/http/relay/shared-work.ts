import type { Taker, Workplace } from "../../bus/consumers/consumer.ts";
import type { Delivery } from "../../bus/consumers/task.ts";
import type { Event } from "../../bus/event.ts";
import type { Settled } from "../../protocol/consumer.ts";

/** Deliveries of one call, as the route allows. */
const MAX_TAKEN = 1000;
/** How long one call waits for deliveries. */
const WAIT = "20s";
/** Deliveries that a taker gets before the next one has its turn. */
const SHARE = 64;
/** Pause after a call that failed, in milliseconds. */
const PAUSE_MS = 500;
const NOT_FOUND = 404;
/** The reason for giving back a delivery that no taker has room for. */
const NO_TAKER = "the worker left before it got the delivery";

/** Makes a call about the consumer to the node that serves it. */
export type Ask = (work: string, body: object, signal: AbortSignal) => Promise<Response>;

export interface SharedWorkOptions {
  readonly name: string;
  readonly ask: Ask;
  /** An event of the history of this node; undefined if it was removed or is damaged. */
  readonly eventOf: (id: number) => Event | undefined;
}

interface Acknowledging {
  readonly deliveries: readonly string[];
  readonly settled: (settled: Settled) => void;
}

/** The takers of one consumer on this node, which takes deliveries for all of them from the node that serves. */
export class SharedWork implements Workplace {
  readonly name: string;
  readonly #ask: Ask;
  readonly #eventOf: (id: number) => Event | undefined;
  readonly #takers = new Set<Taker>();
  #taking: AbortController | undefined;
  #acknowledging: Acknowledging[] = [];

  constructor({ name, ask, eventOf }: SharedWorkOptions) {
    this.name = name;
    this.#ask = ask;
    this.#eventOf = eventOf;
  }

  get isIdle(): boolean {
    return this.#takers.size === 0;
  }

  addTaker(taker: Taker): void {
    this.#takers.add(taker);
    this.wake();
  }

  removeTaker(taker: Taker): void {
    this.#takers.delete(taker);
    if (this.#room === 0) this.#taking?.abort();
  }

  wake(): void {
    if (this.#taking === undefined && this.#room > 0) void this.#take();
  }

  /** The acknowledgements of one turn of the loop share a call. */
  ack(deliveries: readonly string[]): Promise<Settled> {
    const { promise, resolve } = Promise.withResolvers<Settled>();
    this.#acknowledging.push({ deliveries, settled: resolve });
    if (this.#acknowledging.length === 1) setImmediate(() => void this.#acknowledge());
    return promise;
  }

  async nack(deliveries: readonly string[], reason: string, delayMs?: number): Promise<Settled> {
    const delay = delayMs === undefined ? {} : { delay: `${delayMs}ms` };
    return this.#settle("nack", { deliveries, reason, ...delay }, deliveries);
  }

  extend(deliveries: readonly string[]): Promise<Settled> {
    return this.#settle("extend", { deliveries }, deliveries);
  }

  get #room(): number {
    let room = 0;
    for (const taker of this.#takers) room += Math.max(0, taker.room);
    return room;
  }

  async #acknowledge(): Promise<void> {
    const all = this.#acknowledging;
    this.#acknowledging = [];
    const deliveries = all.flatMap((one) => one.deliveries);
    // The room that this frees can be used at once, as the calls of one node arrive in order.
    const settling = this.#settle("ack", { deliveries }, deliveries);
    this.wake();
    const unknown = new Set((await settling).unknown);
    for (const one of all) {
      const own = one.deliveries.filter((delivery) => unknown.has(delivery));
      one.settled({ done: one.deliveries.length - own.length, unknown: own });
    }
  }

  /** If the call fails, all of them will be delivered again. */
  async #settle(work: string, body: object, deliveries: readonly string[]): Promise<Settled> {
    try {
      const response = await this.#ask(work, body, new AbortController().signal);
      if (response.ok) return settledOf(await response.json());
    } catch {}
    return { done: 0, unknown: deliveries };
  }

  async #take(): Promise<void> {
    const taking = new AbortController();
    this.#taking = taking;
    try {
      const max = Math.min(this.#room, MAX_TAKEN);
      const response = await this.#ask(`take?max=${max}&wait=${WAIT}`, {}, taking.signal);
      if (response.ok) this.#give((await response.text()).trimEnd());
      else await this.#fail(response.status);
    } catch {
      if (!taking.signal.aborted) await Bun.sleep(PAUSE_MS);
    } finally {
      this.#taking = undefined;
      setImmediate(() => this.wake());
    }
  }

  async #fail(status: number): Promise<void> {
    if (status === NOT_FOUND) {
      const takers = [...this.#takers];
      this.#takers.clear();
      for (const taker of takers) taker.dismissed?.();
    } else await Bun.sleep(PAUSE_MS);
  }

  #give(lines: string): void {
    let deliveries = lines === "" ? [] : lines.split("\n").map((line) => deliveryOf(line, this.#eventOf));
    while (deliveries.length > 0) {
      const taker = this.#nextTaker();
      if (taker === undefined) break;
      const count = Math.min(taker.room, SHARE);
      taker.give(deliveries.slice(0, count));
      deliveries = deliveries.slice(count);
    }
    if (deliveries.length > 0)
      void this.nack(
        deliveries.map(({ delivery }) => delivery),
        NO_TAKER,
        0,
      );
  }

  /** The taker with room that has waited longest; it goes to the end of the queue. */
  #nextTaker(): Taker | undefined {
    for (const taker of this.#takers) {
      if (taker.room <= 0) continue;
      this.#takers.delete(taker);
      this.#takers.add(taker);
      return taker;
    }
    return undefined;
  }
}

/** The start of the line of a delivery with an event; the line ends with the event as it was published. */
const EVENT = /^\{"delivery":"([^"]+)","attempt":(\d+),"event":\{"id":(\d+),/;

/** The event is read from this node's history: all nodes have the same events. */
function deliveryOf(line: string, eventOf: (id: number) => Event | undefined): Delivery {
  const [, delivery, attempt, id] = EVENT.exec(line) ?? [];
  if (delivery === undefined) return gapOf(JSON.parse(line));
  const head = { delivery, attempt: Number(attempt) };
  const event = eventOf(Number(id));
  return event ? { ...head, event } : { ...head, gap: { after: Number(id) - 1, next: Number(id) + 1 } };
}

function gapOf({ delivery, attempt, gap }: Extract<Delivery, { gap: object }>): Delivery {
  return { delivery, attempt, gap };
}

function settledOf({ done, unknown }: Settled): Settled {
  return { done, unknown };
}
