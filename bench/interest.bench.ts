/**
 * What it costs to find the interests in an event, and to add and remove one, with patterns that differ in one place.
 *
 *     bun bench/interest.bench.ts [--json FILE]
 *
 * Each interest has a pattern of its own, and each event a topic at random among 100,000. The control is a list in which
 * every interest is asked about every event. Times are processor times, as others may use the machine.
 */
import { parseArgs } from "node:util";
import { Event, SeriesName } from "../src/bus/event.ts";
import { type Interest, InterestTable } from "../src/bus/interest/interest.ts";
import { parseRawJson } from "../src/bus/json.ts";
import { PatternSet } from "../src/bus/patterns/pattern-set.ts";
import { parseTopic } from "../src/bus/topic.ts";

const TOPICS = 100_000;
const BATCH_EVENTS = 64;
/** Enough for a mean within a few parts in a hundred. */
const ROUND_MS = 300;
const COUNTS = [10, 1000, 10_000, 100_000];
const SEED = 1;

interface Table {
  add(interest: Interest): void;
  remove(interest: Interest): void;
  deliver(batch: readonly Event[]): void;
}

interface Cost {
  readonly family: string;
  readonly interests: number;
  readonly eventUs: number;
  readonly controlUs: number;
  readonly addUs: number;
  readonly removeUs: number;
}

/** Where the patterns differ. Each topic is `user.N.order.created.N`. */
const families: Record<string, (n: number) => string> = {
  "in one topic each": (n) => `user.${n}.order.created.${n}`,
  "at the beginning: user.N.*": (n) => `user.${n}.*`,
  "in the middle of a segment: user.N*": (n) => `user.${n}*`,
  "at the end: *.N": (n) => `*.${n}`,
  "at the end, with a common beginning: user.*.N": (n) => `user.*.${n}`,
  "at the beginning, with classes: user.N.[a-z]*": (n) => `user.${n}.[a-z]*`,
  "in the middle: *.N.order.*": (n) => `*.${n}.order.*`,
};

/** The control: asks every interest. */
class List implements Table {
  readonly #interests = new Set<Interest>();

  add(interest: Interest): void {
    this.#interests.add(interest);
  }

  remove(interest: Interest): void {
    this.#interests.delete(interest);
  }

  deliver(batch: readonly Event[]): void {
    for (const event of batch) {
      for (const interest of this.#interests) if (interest.topics.matches(event.topic)) interest.deliver(event);
    }
  }
}

/** A linear congruential generator, so that each run takes the same topics. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const random = randomOf(SEED);
const data = parseRawJson("null");
const events = Array.from({ length: TOPICS }, (_, index) => {
  const name = new SeriesName(parseTopic(`user.${index}.order.created.${index}`), "");
  return new Event(index + 1, name, "1970-01-01T00:00:00.000Z", data);
});

function batchAtRandom(): Event[] {
  const any = events.slice(0, 1);
  return Array.from({ length: BATCH_EVENTS }, () => events[Math.floor(random() * TOPICS)] ?? any).flat();
}

/** Interests whose patterns want topics at equal distances. */
function interestsOf(patternOf: (n: number) => string, count: number): Interest[] {
  return Array.from({ length: count }, (_, index) => {
    const topics = PatternSet.parse([patternOf(Math.floor((index * TOPICS) / count))]);
    return { topics, deliver: () => {} };
  });
}

function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function timeMs(act: () => void): number {
  const startMs = processorMs();
  act();
  return processorMs() - startMs;
}

/** Microseconds an event, over as many batches as the time allows, but at least one. */
function deliverUs(table: Table): number {
  const batches = Array.from({ length: 500 }, batchAtRandom);
  let count = 0;
  let tookMs = 0;
  while (tookMs < ROUND_MS) {
    const batch = batches[count % batches.length] ?? [];
    tookMs += timeMs(() => table.deliver(batch));
    count++;
  }
  return (tookMs * 1000) / (count * BATCH_EVENTS);
}

function measure(family: string, patternOf: (n: number) => string, count: number): Cost {
  const interests = interestsOf(patternOf, count);
  const list = new List();
  for (const interest of interests) list.add(interest);
  const controlUs = deliverUs(list);
  const table = new InterestTable();
  const addMs = timeMs(() => {
    for (const interest of interests) table.add(interest);
  });
  const eventUs = deliverUs(table);
  const removeMs = timeMs(() => {
    for (const interest of interests) table.remove(interest);
  });
  const each = (ms: number) => (ms * 1000) / count;
  return { family, interests: count, eventUs, controlUs, addUs: each(addMs), removeUs: each(removeMs) };
}

function measureAll(counts: readonly number[]): Cost[] {
  return Object.entries(families).flatMap(([family, patternOf]) => {
    return counts.map((count) => measure(family, patternOf, count));
  });
}

const { values } = parseArgs({ options: { json: { type: "string" } } });
measureAll([1000]); // Once for nothing, so that what is measured is not the start of the engine.
const costs = measureAll(COUNTS);

console.table(
  costs.map(({ family, interests, eventUs, controlUs, addUs, removeUs }) => ({
    "patterns differ": family,
    interests,
    "event µs": eventUs.toFixed(2),
    "control µs": controlUs.toFixed(2),
    "add µs": addUs.toFixed(2),
    "remove µs": removeUs.toFixed(2),
  })),
);
if (values.json !== undefined) {
  const rows = costs.flatMap(({ family, interests, eventUs, controlUs, addUs, removeUs }) => [
    { name: `event, ${interests} interests, ${family}`, value: eventUs, unit: "µs" },
    { name: `control: event, ${interests} interests, ${family}`, value: controlUs, unit: "µs" },
    { name: `add, ${interests} interests, ${family}`, value: addUs, unit: "µs" },
    { name: `remove, ${interests} interests, ${family}`, value: removeUs, unit: "µs" },
  ]);
  const report = { name: "interest", date: new Date().toISOString(), rows };
  await Bun.write(values.json, `${JSON.stringify(report, null, 2)}\n`);
}
