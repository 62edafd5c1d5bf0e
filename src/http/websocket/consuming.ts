import { type Principal, requireConsume } from "../../bus/access/principal.ts";
import type { Taker, Workplace } from "../../bus/consumers/consumer.ts";
import type { Delivery } from "../../bus/consumers/task.ts";
import type { Settled } from "../../protocol/consumer.ts";
import { deliveryMembers } from "../response/delivery.ts";

/** The socket that takes. */
export interface TakingSocket {
  readonly principal: Principal;
  readonly hasRoom: boolean;
  /** Sends the texts as frames, together. */
  deliver(texts: readonly string[]): void;
}

/** The consumers, as a WebSocket finds them. */
export interface Workplaces {
  /** Throws `not_found`. */
  get(name: string): Workplace;
}

/** Settles deliveries of one consumer. */
type Settling = (consumer: Workplace, deliveries: readonly string[]) => Settled | Promise<Settled>;

/** What one WebSocket takes from consumers: from each as many deliveries as it has credit for. */
export class Consuming {
  readonly #socket: TakingSocket;
  readonly #takers = new Map<string, SocketTaker>();

  constructor(socket: TakingSocket) {
    this.#socket = socket;
  }

  /**
   * From now on at most `credit` deliveries of this consumer are out here; with 0, no more are delivered. Throws
   * `scope_insufficient` or `not_found`.
   */
  consume(consumers: Workplaces, name: string, credit: number): void {
    requireConsume(this.#socket.principal, name);
    const consumer = consumers.get(name);
    const known = this.#takers.get(name);
    if (known?.consumer === consumer) {
      known.setCredit(credit);
      return;
    }
    known?.leave();
    const taker = new SocketTaker(consumer, this.#socket);
    this.#takers.set(name, taker);
    taker.setCredit(credit);
    consumer.addTaker(taker);
  }

  /** Settles deliveries of this socket, whatever consumer they are of; the others are unknown. */
  settle(deliveries: readonly string[], work: Settling): Settled | Promise<Settled> {
    let unknown = deliveries;
    const parts: (Settled | Promise<Settled>)[] = [];
    for (const { consumer, out } of this.#takers.values()) {
      const own = unknown.filter((delivery) => out.has(delivery));
      if (own.length === 0) continue;
      unknown = unknown.filter((delivery) => !out.has(delivery));
      parts.push(work(consumer, own));
    }
    const others = { done: 0, unknown };
    const settled = parts.filter((part): part is Settled => !(part instanceof Promise));
    if (settled.length === parts.length) return sumOf([others, ...settled]);
    return Promise.all(parts).then((all) => sumOf([others, ...all]));
  }

  /** As `settle`; each delivery gives its credit back. */
  finish(deliveries: readonly string[], work: Settling): Settled | Promise<Settled> {
    const settled = this.settle(deliveries, work);
    for (const taker of this.#takers.values()) taker.takenBack(deliveries);
    return settled;
  }

  /** The socket has room again. */
  wake(): void {
    for (const { consumer } of this.#takers.values()) consumer.wake();
  }

  /** The socket is closed: what is out here is delivered again at once, or after the next start if the server stops. */
  close(isStopping: boolean): void {
    for (const taker of this.#takers.values()) {
      taker.leave();
      if (!isStopping && taker.out.size > 0)
        void taker.consumer.nack([...taker.out], "the worker's connection was closed", 0);
    }
    this.#takers.clear();
  }
}

class SocketTaker implements Taker {
  readonly consumer: Workplace;
  /** Deliveries that are out here. */
  readonly out = new Set<string>();
  readonly #socket: TakingSocket;
  readonly #head: string;
  #credit = 0;

  constructor(consumer: Workplace, socket: TakingSocket) {
    this.consumer = consumer;
    this.#socket = socket;
    this.#head = `{"type":"delivery","consumer":"${consumer.name}",`;
  }

  get room(): number {
    return this.#socket.hasRoom ? this.#credit - this.out.size : 0;
  }

  setCredit(credit: number): void {
    this.#credit = credit;
    this.consumer.wake();
  }

  give(deliveries: readonly Delivery[]): void {
    for (const { delivery } of deliveries) this.out.add(delivery);
    this.#socket.deliver(deliveries.map((one) => `${this.#head}${deliveryMembers(one)}}`));
  }

  takenBack(deliveries: readonly string[]): void {
    for (const delivery of deliveries) this.out.delete(delivery);
  }

  leave(): void {
    this.consumer.removeTaker(this);
  }
}

function sumOf(parts: readonly Settled[]): Settled {
  const done = parts.reduce((sum, part) => sum + part.done, 0);
  return { done, unknown: parts.flatMap(({ unknown }) => unknown) };
}
