import type { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import fc from "fast-check";
import { EVERY_TOPIC } from "../../src/bus/patterns/topic-range.ts";
import type { TopicMatcher } from "../../src/bus/ports.ts";
import { checkFile } from "../../src/store/check/check.ts";
import { copyHistory } from "../../src/store/copy/history-copy.ts";
import { type LogInternals, SqliteEventLog } from "../../src/store/event-log.ts";
import { draft, idsOf, startingWith, topicsOf } from "../contract/log-driver.ts";
import { TempFolder } from "../helpers/temp.ts";

/** Events of one topic that come one after another: `name` undefined for a topic that never comes again. */
interface Clump {
  readonly name: string | undefined;
  readonly count: number;
}

type Step =
  | { readonly kind: "append"; readonly clumps: readonly Clump[] }
  | { readonly kind: "prune"; readonly keep: number }
  /** Closed, or killed, while it prunes. */
  | { readonly kind: "pruneCutShort"; readonly keep: number; readonly isKilled: boolean; readonly turns: number }
  /** From a place, or from where the last read of the same topics ended. */
  | { readonly kind: "read"; readonly topics: TopicMatcher; readonly at: number | undefined; readonly limit: number }
  | { readonly kind: "turns"; readonly count: number }
  | { readonly kind: "reopen" | "kill" | "copy" | "restore" };

const aClump = fc.record({
  name: fc.oneof(
    { weight: 9, arbitrary: fc.constantFrom("a.1", "a.2", "b.1", "b.2", "b.3", "c.1") },
    { weight: 2, arbitrary: fc.constant(undefined) },
  ),
  count: fc.oneof(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 60 })),
});
const aKeep = fc.oneof(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 600 }));
const aStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant("append"), clumps: fc.array(aClump, { minLength: 1, maxLength: 12 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("prune"), keep: aKeep }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("pruneCutShort"),
      keep: aKeep,
      isKilled: fc.boolean(),
      turns: fc.nat(3),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("read"),
      topics: fc.constantFrom(
        ...["a", "a.1", "b", "b.2", "c", "once"].map(startingWith),
        ...[".1", ".2", "3", "nce"].map(containing),
      ),
      at: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined }),
      limit: fc.integer({ min: 1, max: 6 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("turns"), count: fc.nat(3) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom("reopen", "kill", "copy", "restore") }) },
) as fc.Arbitrary<Step>;
const someInternals = fc.record({
  endsInterval: fc.constantFrom(4, 16, 64),
  cachedSeries: fc.constantFrom(1, 3, 100),
  recentEvents: fc.constantFrom(1, 20, 1000),
  nameCharacters: fc.constantFrom(0, 100, 100_000),
  searchClock: fc.constantFrom(0, 0.02, 0.3, 10).map((jumpMs) => {
    let nowMs = 0;
    return () => {
      nowMs += jumpMs;
      return nowMs;
    };
  }),
});

/** Topics that only the names of all series lead to. */
function containing(text: string): TopicMatcher {
  return {
    matches: (topic) => topic.includes(text),
    ranges: EVERY_TOPIC,
    literals: text === ".2" ? undefined : [text],
  };
}

/** After this time the search for a shorter failure ends, and the seed is printed. */
const MAX_MS = 30_000;

test(
  "the chains agree with a plain list, whatever is pruned, cut short, copied and opened again",
  async () => {
    const steps = fc.array(aStep, { minLength: 10, maxLength: 60 });
    const property = fc.asyncProperty(someInternals, steps, async (internals, steps) => {
      await using run = new Run(internals);
      for (const step of steps) await run.take(step);
      await run.finish();
    });
    const seed = process.env["EVENTBUS_TEST_SEED"];
    await fc.assert(property, {
      numRuns: 100,
      interruptAfterTimeLimit: MAX_MS,
      ...(seed === undefined ? {} : { seed: Number(seed) }),
    });
  },
  2 * MAX_MS,
);

/** A log, and the list of what it should hold. */
class Run {
  readonly #folder = new TempFolder();
  readonly #internals: LogInternals;
  readonly #logs: SqliteEventLog[] = [];
  readonly #damage: string[] = [];
  /** The topic of each id; the first one is at 1. */
  readonly #topics: string[] = [""];
  #path = this.#folder.file();
  #database: Database | undefined;
  #log: SqliteEventLog;
  /** Where the last read of some topics ended. */
  readonly #ends = new Map<TopicMatcher, { readonly up: number; readonly down: number }>();

  constructor(internals: LogInternals) {
    this.#internals = internals;
    this.#log = this.#open();
  }

  async take(step: Step): Promise<void> {
    if (step.kind === "append") await this.#append(step.clumps);
    else if (step.kind === "prune") expect(await this.#prune(step.keep)).toBe(this.#log.floor - 1);
    else if (step.kind === "pruneCutShort") await this.#pruneCutShort(step);
    else if (step.kind === "read") this.#readFrom(step.topics, step.at, step.limit);
    else if (step.kind === "turns") for (let turn = 0; turn < step.count; turn++) await nextTurn();
    else if (step.kind === "reopen") await this.#reopen();
    else if (step.kind === "kill") this.#kill();
    else if (step.kind === "copy") await this.#copy();
    else await this.#restore();
    expect(this.#damage).toEqual([]);
    this.#compareCounts();
  }

  /** Compares every topic from every end, and runs the check. */
  async finish(): Promise<void> {
    for (const topic of new Set(this.#topics.slice(1))) {
      const topics = startingWith(topic);
      this.#readUp(topics, 0, this.#topics.length);
      this.#readDown(topics, this.#topics.length, this.#topics.length);
    }
    await this.#log.close();
    await this.#expectSound(this.#path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#logs.map((log) => log.close()));
    this.#folder[Symbol.dispose]();
  }

  async #append(clumps: readonly Clump[]): Promise<void> {
    const next = this.#topics.length;
    const topics = clumps.flatMap(({ name, count }, index) =>
      Array<string>(count).fill(name ?? `once.${next}.${index}`),
    );
    await this.#log.append(topics.map((topic) => draft(topic)));
    this.#topics.push(...topics);
  }

  #compareCounts(): void {
    const counts = topicsOf(this.#log).map(({ topic, count, last_id }) => [topic, count, last_id]);
    const kept = Map.groupBy(this.#idsOf({ matches: () => true, ranges: EVERY_TOPIC }), (id) => this.#topics[id] ?? "");
    expect(counts).toEqual([...kept].map(([topic, ids]) => [topic, ids.length, ids.at(-1) ?? 0]).sort());
  }

  /** Returns how many events have ever been removed. */
  async #prune(keep: number): Promise<number> {
    const floor = this.#log.floor;
    const pruned = await this.#log.prune({ maxHistory: keep }, 0);
    expect(this.#log.head - this.#log.floor + 1).toBeLessThanOrEqual(keep);
    return floor - 1 + pruned;
  }

  async #pruneCutShort({ keep, isKilled, turns }: Extract<Step, { kind: "pruneCutShort" }>): Promise<void> {
    const pruning = this.#log.prune({ maxHistory: keep }, 0);
    for (let turn = 0; turn < turns; turn++) await nextTurn();
    if (isKilled) this.#kill();
    else await this.#reopen();
    await pruning;
  }

  #readFrom(topics: TopicMatcher, at: number | undefined, limit: number): void {
    const start = Math.round((at ?? 0.5) * (this.#log.head + 2));
    const { up, down } = (at === undefined && this.#ends.get(topics)) || { up: start, down: start };
    this.#ends.set(topics, { up: this.#readUp(topics, up, limit), down: this.#readDown(topics, down, limit) });
  }

  #readUp(topics: TopicMatcher, from: number, limit: number): number {
    const kept = this.#idsOf(topics);
    const { events, end, done } = this.#log.read({ topics }, from, limit);
    expect(idsOf(events)).toEqual(kept.filter((id) => id > from && id <= end).slice(0, limit));
    if (done) expect(kept.filter((id) => id > Math.max(end, from))).toEqual([]);
    return end;
  }

  #readDown(topics: TopicMatcher, from: number, limit: number): number {
    const kept = this.#idsOf(topics);
    const { events, end, done } = this.#log.readBack({ topics }, from, limit);
    expect(idsOf(events)).toEqual(kept.filter((id) => id < from && id >= end).reverse());
    if (done) expect(kept.filter((id) => id < Math.min(end, from))).toEqual([]);
    return end;
  }

  #idsOf(topics: TopicMatcher): number[] {
    const ids: number[] = [];
    for (let id = this.#log.floor; id < this.#topics.length; id++) {
      if (topics.matches(this.#topics[id] ?? "")) ids.push(id);
    }
    return ids;
  }

  async #reopen(): Promise<void> {
    await this.#log.close();
    this.#log = this.#open();
  }

  /** Continues with what is in the files now. */
  #kill(): void {
    this.#path = this.#folder.copyDatabase(this.#path, `copy-${this.#logs.length}.db`);
    this.#log = this.#open();
  }

  /** Continues with a copy, and without what was published later. */
  async #restore(): Promise<void> {
    this.#path = await this.#copy();
    this.#kill();
    this.#topics.length = this.#log.head + 1;
  }

  /** Copies the history while more is published; returns the path of the copy. */
  async #copy(): Promise<string> {
    if (this.#database === undefined) throw new Error("no log is open");
    const copy = this.#folder.file("backup.db");
    const copying = copyHistory(this.#database, this.#log, copy, { sliceMs: 0 });
    await this.#append([{ name: "c.1", count: 5 }]);
    await this.#append([{ name: undefined, count: 5 }]);
    await copying;
    await this.#expectSound(copy);
    return copy;
  }

  async #expectSound(path: string): Promise<void> {
    const found: string[] = [];
    await checkFile(path, { onDamage: (detail) => void found.push(detail) });
    expect(found).toEqual([]);
  }

  #open(): SqliteEventLog {
    const connect = (database: Database) => {
      this.#database = database;
      return database;
    };
    const onDamage = (detail: string) => void this.#damage.push(detail);
    const log = new SqliteEventLog(this.#path, { durability: "os", onDamage }, { ...this.#internals, connect });
    this.#logs.push(log);
    return log;
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
