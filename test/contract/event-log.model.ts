import { expect, test } from "bun:test";
import fc from "fast-check";
import { BusError } from "../../src/bus/errors.ts";
import { formatTime } from "../../src/bus/event.ts";
import type { Draft, EventLog, Filter, Page, Retention } from "../../src/bus/ports.ts";
import { FakeClock } from "../helpers/clock.ts";
import type { LogUnderTest, OpenLog } from "./bench.ts";
import { draft, startingWith, topicsOf } from "./log-driver.ts";

/** What an event is checked against. */
interface Known {
  readonly id: number;
  readonly topic: string;
  readonly source: string;
  readonly atMs: number;
  readonly json: string;
}

interface Reading {
  readonly filter: Filter;
  readonly from: number;
  readonly limit: number;
}

type Step =
  | { readonly kind: "append"; readonly groups: readonly (readonly Draft[])[] }
  | { readonly kind: "prune"; readonly rules: Retention }
  | ({ readonly kind: "read" } & Reading)
  | ({ readonly kind: "readBack" } & Reading)
  | { readonly kind: "clock"; readonly byMs: number }
  | { readonly kind: "turns"; readonly count: number }
  | { readonly kind: "fillDisk"; readonly number: number }
  | { readonly kind: "reopen" }
  | { readonly kind: "crash" };

const topics = ["a", "a.x", "a.y", "b", "b.x", "c.long.name"];
const aDraft = fc
  .tuple(fc.constantFrom(...topics), fc.nat(99), fc.constantFrom("", "s", "t"))
  .map(([topic, data, source]) => draft(topic, data, source));
const aFilter = fc.record(
  {
    // The same objects again and again, as a log may remember what they matched.
    topics: fc.constantFrom(...["", "a", "a.", "b", "c", "nobody"].map(startingWith)),
    source: fc.constantFrom("", "s", "nobody"),
    fromMs: fc.integer({ min: -5, max: 30 }),
    toMs: fc.integer({ min: -5, max: 30 }),
  },
  { requiredKeys: [] },
);
const aRead = fc.record({
  kind: fc.constantFrom("read", "readBack"),
  filter: aFilter,
  from: fc.integer({ min: -1, max: 120 }),
  limit: fc.integer({ min: 1, max: 40 }),
});
const aStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("append"),
      groups: fc.array(fc.array(aDraft, { maxLength: 12 }), { maxLength: 3 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("prune"),
      rules: fc.record({ maxHistory: fc.nat(30), maxAgeMs: fc.nat(20) }, { requiredKeys: [] }),
    }),
  },
  { weight: 8, arbitrary: aRead },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("clock"), byMs: fc.integer({ min: -3, max: 6 }) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("turns"), count: fc.nat(3) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("fillDisk"), number: fc.nat(20) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom("reopen", "crash") }) },
) as fc.Arbitrary<Step>;

/** After this time the search for a shorter failure ends, and the seed is printed. */
const MAX_MS = 30_000;

/** Holds the log against a list and a loop, in random operations. A failure prints the seed to repeat it with. */
export function agreesWithModel(open: OpenLog): void {
  test(
    "agrees with a plain list in random operations",
    async () => {
      const property = fc.asyncProperty(fc.array(aStep, { minLength: 10, maxLength: 60 }), async (steps) => {
        const clock = new FakeClock();
        await using under = await open(clock.read);
        const model = new Model(clock, under.log);
        for (const step of steps) await model.take(step, under);
      });
      await fc.assert(property, {
        numRuns: 150,
        interruptAfterTimeLimit: MAX_MS,
        ...seedOf(process.env["EVENTBUS_TEST_SEED"]),
      });
    },
    2 * MAX_MS,
  );
}

function seedOf(text: string | undefined): { seed?: number } {
  return text === undefined ? {} : { seed: Number(text) };
}

class Model {
  readonly #clock: FakeClock;
  readonly #startMs: number;
  #log: EventLog;
  #kept: Known[] = [];
  #head = 0;
  #lastAtMs = 0;

  constructor(clock: FakeClock, log: EventLog) {
    this.#clock = clock;
    this.#startMs = clock.nowMs;
    this.#log = log;
  }

  async take(step: Step, under: LogUnderTest): Promise<void> {
    if (step.kind === "append") await this.#append(step.groups);
    else if (step.kind === "prune") await this.#prune(step.rules);
    else if (step.kind === "clock") this.#clock.advance(step.byMs);
    else if (step.kind === "turns") for (let turn = 0; turn < step.count; turn++) await nextTurn();
    else if (step.kind === "fillDisk") under.fillDisk?.(step.number);
    else if (step.kind === "reopen") this.#log = (await under.reopen?.()) ?? this.#log;
    else if (step.kind === "crash") this.#log = (await under.crash?.()) ?? this.#log;
    else this.#read(step.kind, { ...step, filter: this.#inTime(step.filter) });
    this.#compareBounds();
  }

  async #append(groups: readonly (readonly Draft[])[]): Promise<void> {
    const atMs = Math.max(this.#clock.nowMs, this.#lastAtMs);
    const answers = await Promise.all(groups.map((group) => orFull(this.#log.append(group))));
    // They share a transaction: all of them are kept, or none is.
    if (answers.includes("full")) {
      expect(answers).toEqual(answers.map(() => "full"));
      return;
    }
    const events = answers.flatMap((answer) => (answer === "full" ? [] : answer.events));
    const expected = groups.flat().map((one) => this.#expect(one, atMs));
    expect(events.map(({ json }) => json)).toEqual(expected.map(({ json }) => json));
    this.#kept.push(...expected);
    if (expected.length > 0) this.#lastAtMs = atMs;
  }

  #expect({ topic, data, source }: Draft, atMs: number): Known {
    const id = ++this.#head;
    const names = [`"topic":${JSON.stringify(topic)}`, `"data":${data}`, `"source":${JSON.stringify(source)}`];
    return { id, topic, source, atMs, json: `{"id":${id},${names.join()},"created_at":"${formatTime(atMs)}"}` };
  }

  async #prune({ maxHistory = this.#kept.length, maxAgeMs = Infinity }: Retention): Promise<void> {
    const oldestMs = this.#clock.nowMs - maxAgeMs;
    const firstKept = this.#head - maxHistory + 1;
    const kept = this.#kept.filter(({ id, atMs }) => id >= firstKept && atMs >= oldestMs);
    const pruned = await orFull(this.#log.prune({ maxHistory, maxAgeMs }, this.#clock.nowMs));
    if (pruned !== "full") expect(pruned).toBe(this.#kept.length - kept.length);
    // A run that was cut short has removed the first of them.
    this.#kept = pruned === "full" ? this.#kept.filter(({ id }) => id >= this.#log.floor) : kept;
    expect(this.#kept.length).toBeGreaterThanOrEqual(kept.length);
  }

  #inTime(filter: Filter): Filter {
    const { fromMs, toMs, ...rest } = filter;
    return {
      ...rest,
      ...(fromMs === undefined ? {} : { fromMs: this.#startMs + fromMs }),
      ...(toMs === undefined ? {} : { toMs: this.#startMs + toMs }),
    };
  }

  #read(kind: "read" | "readBack", { filter, from, limit }: Reading): void {
    const page = this.#log[kind](filter, from, limit);
    const isUp = kind === "read";
    const wanted = this.#kept.filter((one) => isWanted(one, filter));
    const passed = isUp
      ? wanted.filter(({ id }) => id > from && id <= page.end)
      : wanted.filter(({ id }) => id < from && id >= page.end).reverse();
    expect(page.events.map(({ json }) => json)).toEqual(passed.map(({ json }) => json));
    expect(page.events.length).toBeLessThanOrEqual(limit);
    this.#comparePage(
      page,
      wanted.some(({ id }) => (isUp ? id > page.end && id > from : id < page.end && id < from)),
    );
    expect(isUp ? page.end >= from : page.end <= from).toBe(true);
  }

  #comparePage(page: Page, isMoreBeyond: boolean): void {
    expect(page.damaged).toEqual([]);
    if (page.done) expect(isMoreBeyond).toBe(false);
  }

  #compareBounds(): void {
    expect([this.#log.head, this.#log.floor]).toEqual([this.#head, this.#head - this.#kept.length + 1]);
    const byTopic = Map.groupBy(this.#kept, ({ topic }) => topic);
    const expected = [...byTopic].map(([topic, events]) => {
      const { id = 0, atMs = 0 } = events.at(-1) ?? {};
      return { topic, count: events.length, last_id: id, last_at: formatTime(atMs) };
    });
    expect(topicsOf(this.#log)).toEqual(expected.sort((a, b) => (a.topic < b.topic ? -1 : 1)));
    expect(["ok", "full"]).toContain(this.#log.health().state);
  }
}

function isWanted({ topic, source, atMs }: Known, filter: Filter): boolean {
  return (
    filter.topics?.matches(topic) !== false &&
    source === (filter.source ?? source) &&
    atMs >= (filter.fromMs ?? atMs) &&
    atMs <= (filter.toMs ?? atMs)
  );
}

/** What the call returns, or that it found the disk full; anything else fails the test. */
async function orFull<T>(call: Promise<T>): Promise<T | "full"> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof BusError && error.code === "storage_full") return "full";
    throw error;
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
