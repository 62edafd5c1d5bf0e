import type { DeliveredGap, Settled } from "../../protocol/consumer.ts";
import type { Calls } from "../calls.ts";
import { EventBusError } from "../errors.ts";
import { parseEvent, parseJson, parseObject, type ReceivedEvent } from "../received-event.ts";
import { pathOf } from "./consumers.ts";

/** How long the server waits for the next event: less than half of the time that a call may take by default. */
const WAIT = "10s";
const DEFAULT_CREDIT = 10;
/** The most that the server returns at a time. */
const MAX_CREDIT = 1000;
/** A delivery as the server writes it, up to its event. */
const BEFORE_EVENT = /^\{"delivery":"([^"]+)","attempt":(\d+),"event":/;

export interface ConsumeOptions {
  /** How many deliveries may be held at a time, 1 to 1,000; default 10. */
  credit?: number | undefined;
  /** Ends the iteration. */
  signal?: AbortSignal | undefined;
}

export interface NackOptions {
  /** How long to wait before the next attempt, such as `10s`. Default: by the schedule of the consumer. */
  delay?: string | undefined;
  /** Why; it is shown with events that were given up. */
  reason?: string | undefined;
}

/** One attempt to have an event handled. It is yours until it is settled, or `ack_timeout` has passed. */
export class Delivery {
  /** Names this attempt. */
  readonly delivery: string;
  /** 1 for the first. */
  readonly attempt: number;
  /** Undefined for a gap. */
  readonly event: ReceivedEvent | undefined;
  /** Events that retention removed before they were delivered. */
  readonly gap: DeliveredGap | undefined;
  readonly #settle: Settle;

  constructor(parts: Pick<Delivery, "delivery" | "attempt" | "event" | "gap">, settle: Settle) {
    this.delivery = parts.delivery;
    this.attempt = parts.attempt;
    this.event = parts.event;
    this.gap = parts.gap;
    this.#settle = settle;
  }

  /** The work is done. Resolves with false if it was taken back before: then it comes again. */
  ack(): Promise<boolean> {
    return this.#settle("ack", this.delivery, {});
  }

  /** The work failed. Resolves as `ack`. */
  nack({ delay, reason }: NackOptions = {}): Promise<boolean> {
    return this.#settle("nack", this.delivery, { delay, reason });
  }

  /** The work goes on: it may take another `ack_timeout` from now. Resolves as `ack`. */
  extend(): Promise<boolean> {
    return this.#settle("extend", this.delivery, {});
  }
}

type Verb = "ack" | "nack" | "extend";
type Settle = (verb: Verb, delivery: string, more: NackOptions) => Promise<boolean>;

/**
 * Takes from a consumer, as an async iterable. Requests as many deliveries as there is credit for; each that is settled
 * gives its credit back. When the loop is left, what was not handed over goes back at once.
 */
export class Consumption implements AsyncIterableIterator<Delivery, undefined> {
  readonly #calls: Calls;
  readonly #name: string;
  readonly #credit: number;
  readonly #closing = new AbortController();
  readonly #onClose: (one: Consumption) => void;
  readonly #held = new Set<string>();
  #waiting: Delivery[] = [];
  /** Acknowledgements of this turn, which go in one request. */
  #acks: { readonly deliveries: string[]; readonly settled: Promise<Settled> } | undefined;
  #wake: () => void = () => {};
  #lastTurn: Promise<unknown> = Promise.resolve();

  constructor(calls: Calls, name: string, { credit, signal }: ConsumeOptions, onClose: (one: Consumption) => void) {
    this.#calls = calls;
    this.#name = name;
    this.#credit = checkedCredit(credit ?? DEFAULT_CREDIT);
    this.#onClose = onClose;
    signal?.addEventListener("abort", () => this.close());
    if (signal?.aborted) this.close();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Delivery, undefined>> {
    const turn = this.#lastTurn.then(() => this.#next());
    this.#lastTurn = turn.catch(() => {});
    return turn;
  }

  async return(): Promise<IteratorResult<Delivery, undefined>> {
    this.close();
    return { done: true, value: undefined };
  }

  /** Takes nothing more; what is here can still be settled. May be called twice. */
  close(): void {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    this.#wake();
    this.#onClose(this);
    const unread = this.#waiting.map(({ delivery }) => delivery);
    this.#waiting = [];
    if (unread.length === 0) return;
    const back = { deliveries: unread, delay: "0s", reason: "the worker stopped before it began" };
    this.#send("nack", back).catch(() => {});
  }

  async #next(): Promise<IteratorResult<Delivery, undefined>> {
    while (!this.#closing.signal.aborted) {
      const delivery = this.#waiting.shift();
      if (delivery) return { done: false, value: delivery };
      if (this.#held.size < this.#credit) await this.#take();
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
    return { done: true, value: undefined };
  }

  async #take(): Promise<void> {
    const { signal } = this.#closing;
    const query = { max: this.#credit - this.#held.size, wait: WAIT };
    const headers = { accept: "application/x-ndjson" };
    try {
      const path = pathOf(this.#name, "/take");
      const lines = (await this.#calls.send({ method: "POST", path, query, headers }, signal)).split("\n");
      this.#waiting = lines.filter(Boolean).map((line) => this.#parse(line));
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    for (const { delivery } of this.#waiting) this.#held.add(delivery);
    if (signal.aborted) this.#waiting = [];
  }

  /** Keeps the exact text of the event. */
  #parse(line: string): Delivery {
    const [head, delivery = "", attempt] = BEFORE_EVENT.exec(line) ?? [];
    const settle: Settle = (verb, name, more) => this.#settle(verb, name, more);
    if (head === undefined) {
      const gap = parseJson(line) as Pick<Delivery, "delivery" | "attempt" | "gap">;
      return new Delivery({ ...gap, event: undefined }, settle);
    }
    const event = parseEvent(line.slice(head.length, -1));
    return new Delivery({ delivery, attempt: Number(attempt), event, gap: undefined }, settle);
  }

  async #settle(verb: Verb, delivery: string, more: NackOptions): Promise<boolean> {
    const sending = verb === "ack" ? this.#ack(delivery) : this.#send(verb, { deliveries: [delivery], ...more });
    try {
      return !(await sending).unknown.includes(delivery);
    } finally {
      if (verb !== "extend" && this.#held.delete(delivery)) this.#wake();
    }
  }

  #ack(delivery: string): Promise<Settled> {
    if (this.#acks === undefined) {
      const deliveries: string[] = [];
      const settled = Promise.resolve().then(() => {
        this.#acks = undefined;
        return this.#send("ack", { deliveries });
      });
      this.#acks = { deliveries, settled };
    }
    this.#acks.deliveries.push(delivery);
    return this.#acks.settled;
  }

  async #send(verb: Verb, body: object): Promise<Settled> {
    const headers = { "content-type": "application/json" };
    const request = { method: "POST", path: pathOf(this.#name, `/${verb}`), headers } as const;
    return parseObject<Settled>(await this.#calls.send({ ...request, body: JSON.stringify(body) }, undefined), "done");
  }
}

function checkedCredit(credit: number): number {
  if (Number.isInteger(credit) && credit >= 1 && credit <= MAX_CREDIT) return credit;
  throw new EventBusError("parameter_invalid", `credit must be a whole number from 1 to ${MAX_CREDIT}`);
}
