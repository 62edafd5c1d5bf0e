import { expect, test } from "bun:test";
import fc from "fast-check";
import type { Delivery } from "../../../src/bus/consumers/task.ts";
import type { Order } from "../../../src/protocol/consumer.ts";
import { ConsumerBench } from "../../helpers/consumers.ts";

const SEED = process.env["EVENTBUS_TEST_SEED"];
const TOPICS = ["a", "b", "c", "x"];
const MAX_ATTEMPTS = 3;
/** Longer than any delay. */
const LONG_MS = 3_600_000;

type Step =
  | { readonly kind: "publish"; readonly topics: readonly string[] }
  | { readonly kind: "take"; readonly max: number }
  | { readonly kind: "ack" | "nack" | "extend"; readonly which: number; readonly count: number }
  | { readonly kind: "wait"; readonly ms: number }
  | { readonly kind: "crash" | "reopen" | "save" | "pause" | "retry" };

const aStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("publish" as const), topics: someTopics() }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("take" as const), max: fc.integer({ min: 1, max: 6 }) }) },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constantFrom("ack" as const, "ack" as const, "nack" as const, "extend" as const),
      which: fc.nat(20),
      count: fc.integer({ min: 1, max: 4 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.constantFrom(10, 500, 40_000) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom("crash" as const, "reopen" as const, "save" as const, "pause" as const, "retry" as const),
    }),
  },
);

function someTopics() {
  return fc.array(fc.constantFrom(...TOPICS), { minLength: 1, maxLength: 8 });
}

/** What must hold for a consumer of every topic but `x`, whatever happens. */
class Model {
  readonly bench = new ConsumerBench();
  readonly #order: Order;
  readonly #topics = new Map<number, string>();
  readonly #done = new Set<number>();
  /** Out now, by delivery, with the event. */
  #out = new Map<string, number>();
  /** Those that were taken back, or settled. */
  readonly #stale: string[] = [];

  constructor(order: Order) {
    this.#order = order;
  }

  async begin(): Promise<void> {
    const settings = { pattern: ["[a-c]"], order: this.#order, max_attempts: MAX_ATTEMPTS, retry: ["1s", "30s"] };
    await this.bench.consumers.set("c", { ...settings, max_in_flight: 5 }, undefined);
  }

  async run(step: Step): Promise<void> {
    const { consumers, clock } = this.bench;
    if ("which" in step) this.#settle(step);
    else if (step.kind === "publish") await this.#publish(step.topics);
    else if (step.kind === "take") this.take(step.max);
    else if (step.kind === "wait") {
      clock.advance(step.ms);
      this.#expire();
    } else if (step.kind === "crash" || step.kind === "reopen") {
      await this.bench[step.kind]();
      this.#forget();
    } else if (step.kind === "save") this.bench.log.consumers.save();
    else if (step.kind === "retry") await this.#retry();
    else {
      await consumers.pause("c");
      expect(this.#consumer.take(5)).toEqual([]);
      await consumers.resume("c");
    }
  }

  /** Takes and acknowledges everything that comes; then every event was acknowledged or is dead. */
  async drain(): Promise<void> {
    for (let round = 0; round < 500; round++) {
      this.bench.clock.advance(LONG_MS);
      this.#expire();
      const names = this.take(5);
      if (names.length === 0 && this.#out.size + this.#consumer.figures.retrying === 0) break;
      this.#ack(names);
    }
    const dead = this.#consumer.dead.page(0, 1000).map(({ id }) => id);
    const wanted = [...this.#topics].filter(([, topic]) => topic !== "x").map(([id]) => id);
    expect(wanted.filter((id) => !this.#done.has(id) && !dead.includes(id))).toEqual([]);
    const info = await this.bench.consumers.info(this.#consumer);
    expect(info).toMatchObject({ place: this.bench.log.head, lag: 0, in_flight: 0, retrying: 0 });
  }

  take(max: number): string[] {
    const taken = this.#consumer.take(max);
    for (const one of taken) this.#check(one);
    expect(this.#out.size).toBeLessThanOrEqual(5);
    return taken.map(({ delivery }) => delivery);
  }

  get #consumer() {
    return this.bench.consumers.get("c");
  }

  async #publish(topics: readonly string[]): Promise<void> {
    const ids = await this.bench.publish(...topics);
    for (const [index, id] of ids.entries()) this.#topics.set(id, topics[index] ?? "");
  }

  /** No event that is out goes to another taker, none comes that does not match, and none comes out of order. */
  #check({ delivery, attempt, event }: Delivery): void {
    const id = event?.id ?? 0;
    expect([...this.#out.values()]).not.toContain(id);
    expect(event?.topic).toMatch(/^[a-c]$/);
    expect(attempt).toBeLessThanOrEqual(MAX_ATTEMPTS);
    const isRival = (other: number) => this.#order === "all" || this.#topics.get(other) === event?.topic;
    if (this.#order !== "none") expect([...this.#out.values()].filter(isRival)).toEqual([]);
    const dead = new Set(this.#consumer.dead.page(0, 1000).map((task) => task.id));
    const isOpen = (other: number) => !this.#done.has(other) && !dead.has(other) && this.#topics.get(other) !== "x";
    const before = [...this.#topics.keys()].filter((other) => other < id && isOpen(other) && isRival(other));
    const wasDead = this.#retried.has(id) || before.every((other) => this.#retried.has(other));
    if (this.#order !== "none" && !wasDead) expect({ id, before }).toEqual({ id, before: [] });
    this.#out.set(delivery, id);
  }

  /** Events that were given up and tried again, out of their order. */
  readonly #retried = new Set<number>();

  async #retry(): Promise<void> {
    for (const { id } of this.#consumer.dead.page(0, 1000)) this.#retried.add(id);
    await this.bench.consumers.retryDead("c", undefined);
  }

  #settle({ kind, which, count }: Extract<Step, { which: number }>): void {
    const names = [...this.#out.keys(), ...this.#stale.slice(-3)].slice(which % 7).slice(0, count);
    if (kind === "ack") this.#ack(names);
    else {
      const known = names.filter((name) => this.#out.has(name));
      const settled = kind === "nack" ? this.#consumer.nack(names, "no") : this.#consumer.extend(names);
      expect(settled.done).toBe(known.length);
      if (kind === "nack") for (const name of known) this.#lose(name);
    }
  }

  #ack(names: readonly string[]): void {
    const known = names.filter((name) => this.#out.has(name));
    expect(this.#consumer.ack(names)).toEqual({
      done: known.length,
      unknown: names.filter((name) => !known.includes(name)),
    });
    for (const name of known) {
      this.#done.add(this.#out.get(name) ?? 0);
      this.#lose(name);
    }
  }

  #lose(name: string): void {
    this.#out.delete(name);
    this.#stale.push(name);
  }

  #expire(): void {
    this.#consumer.expire();
    const { inFlight } = this.#consumer.figures;
    // All may be out for the same time: either the oldest ones are taken back, or none is.
    while (this.#out.size > inFlight) {
      const lost = [...this.#out.keys()].find((name) => this.#consumer.extend([name]).done === 0);
      if (lost === undefined) throw new Error("more are out than can be found");
      this.#lose(lost);
    }
  }

  #forget(): void {
    for (const name of [...this.#out.keys()]) this.#lose(name);
  }
}

test.each(["none", "topic", "all"] as const)(
  "with order %s nothing is lost, shared or out of order, whatever happens",
  async (order) => {
    const property = fc.asyncProperty(fc.array(aStep, { minLength: 5, maxLength: 60 }), async (steps) => {
      const model = new Model(order);
      await using _ = model.bench;
      await model.begin();
      for (const step of steps) await model.run(step);
      await model.drain();
    });
    await fc.assert(property, { numRuns: 25, ...(SEED === undefined ? {} : { seed: Number(SEED) }) });
  },
  200_000,
);
