/**
 * Looks for the pattern that takes longest to match, and to parse, among all that a client may send.
 *
 *     bun bench/pattern.bench.ts [--json FILE]
 *
 * Prints the worst of each family and of the whole search. Exits 1 if the worst median of a match is over 1 ms.
 */
import { parseArgs } from "node:util";
import { parsePattern } from "../src/bus/patterns/pattern.ts";

const LIMIT_MS = 1;
const SEARCH_SAMPLES = 9;
const FINAL_SAMPLES = 201;
const RANDOM_PATTERNS = 400;
const SEED = 1;

interface Cost {
  readonly family: string;
  readonly text: string;
  readonly topic: string;
  /** Of the call that makes the pattern. */
  readonly parseMs: number;
  /** Of the first match, in which a regular expression is compiled. */
  readonly firstMs: number;
  readonly medianMs: number;
  readonly maxMs: number;
}

/** As long as a topic may be, and as similar to the patterns as can be without matching. */
const topics: Record<string, string> = {
  ascii: "a".repeat(255),
  "ascii, then one beyond the basic plane": `${"a".repeat(251)}😀`,
  "two bytes a character": "é".repeat(127),
  "beyond the basic plane": "😀".repeat(63),
  "ab ab": "ab".repeat(127),
  "all but the last": `${"ab".repeat(60)}${"a".repeat(134)}`,
  dotted: Array(128).fill("a").join("."),
};

/** Each makes a pattern of about `size` characters, for each size up to the limit. */
const families: Record<string, (size: number) => string> = {
  "the classic *a*a*b": (size) => `${repeat("*a", size - 2)}*b`,
  "*?*?*b": (size) => `${repeat("*?", size - 2)}*b`,
  "one long run": (size) => `*${repeat("a", size - 3)}b*`,
  "one long run of ?": (size) => `*${repeat("?", size - 3)}b*`,
  "fifteen long runs": (size) => repeat(`*${repeat("?", size / 15 - 2)}b`, size),
  "stars and classes": (size) => `${repeat("*[^b]", size - 2)}*b`,
  "long classes": (size) => `${repeat("*[^bcdefghijklmnopqrstuvw]", size - 2)}*b`,
  "classes of many ranges": (size) => `${repeat("*[^b-cd-ef-gh-ij-kl-m]", size - 2)}*b`,
  "classes beyond ASCII": (size) => `${repeat("*[^é日😀]", size - 2)}*b`,
  "64 alternatives of one run": (size) => `*${repeat("a", size - 34)}${"{a,?}".repeat(6)}b*`,
  "64 alternatives of one run of ?": (size) => `*${repeat("?", size - 34)}${"{a,?}".repeat(6)}b*`,
  "64 alternatives of stars": (size) => `${"{a,?}".repeat(6)}${repeat("*?", size - 34)}*b`,
  "stars in each of 64 alternatives": (size) => `${"{a*,?*}".repeat(6)}${repeat("*?", size - 46)}*b`,
  "16 alternatives, 16 stars": (size) => `*${repeat("?", (size - 24) / 16)}${"{a,?}".repeat(4)}b`,
  "60 branches": (size) => `*{${repeat("?*,", size - 6)}a}b`,
  "stars that end 60 branches": (size) => `{${repeat("*a,", size - 6)}a}${repeat("*?", 20)}b`,
  "braces in braces": (size) => `${repeat("{", size / 2)}*a${repeat("}", size / 2)}`,
  "branches in branches": (size) => `${repeat("{*a,", size - 80)}b${repeat("}", (size - 80) / 4)}${repeat("*?", 10)}b`,
  "256 characters of two code units": (size) => `${repeat("*😀", size)}b`,
};

function repeat(text: string, size: number): string {
  return text.repeat(Math.max(0, Math.floor(size / Array.from(text).length)));
}

function* candidates(): Generator<[family: string, text: string]> {
  for (const [family, make] of Object.entries(families)) {
    for (const size of [64, 96, 128, 192, 256]) yield [family, make(size)];
  }
  const random = randomOf(SEED);
  const pick = (from: readonly string[]) => from[Math.floor(random() * from.length)] ?? "";
  const plain = ["*", "*", "*a", "*?", "?", "a", "ab", "[^b]", "[a-z]", "*[^.]", "😀"];
  const braces = ["{a,?}", "{*,a}", "{a*,?b,*}", "{,a}", "{?,{a,*b}}"];
  for (let count = 0; count < RANDOM_PATTERNS; count++) {
    const length = 10 + Math.floor(random() * 120);
    const piece = () => pick(random() < 4 / length ? braces : plain);
    yield ["random", Array.from({ length }, piece).join("")];
  }
}

/** A linear congruential generator, so that each run searches the same patterns. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

function measure(family: string, text: string, topic: string, samples: number): Cost {
  const [parseMs, pattern] = time(() => parsePattern(text));
  const [firstMs] = time(() => pattern.matches(topic));
  const timesMs = Array.from({ length: samples }, () => time(() => pattern.matches(topic))[0]).sort((a, b) => a - b);
  return { family, text, topic, parseMs, firstMs, medianMs: middle(timesMs), maxMs: timesMs.at(-1) ?? 0 };
}

function time<T>(act: () => T): [ms: number, result: T] {
  const start = performance.now();
  const result = act();
  return [performance.now() - start, result];
}

function middle(ascending: readonly number[]): number {
  return ascending[Math.floor(ascending.length / 2)] ?? 0;
}

function percentile(sorted: readonly number[]): number {
  return sorted[Math.floor(sorted.length * 0.99)] ?? 0;
}

/** Whether a client may send it at all. */
function parses(text: string): boolean {
  try {
    parsePattern(text);
    return true;
  } catch {
    return false;
  }
}

function search(): Cost[] {
  const found: Cost[] = [];
  for (const [family, text] of candidates()) {
    if (!parses(text)) continue;
    for (const topic of Object.values(topics)) found.push(measure(family, text, topic, SEARCH_SAMPLES));
  }
  return found;
}

/** The worst of each family, measured again for longer, worst first. */
function worstOfEach(found: readonly Cost[]): Cost[] {
  const worst = new Map<string, Cost>();
  for (const cost of found) {
    if (cost.medianMs >= (worst.get(cost.family)?.medianMs ?? 0)) worst.set(cost.family, cost);
  }
  return [...worst.values()]
    .map(({ family, text, topic }) => measure(family, text, topic, FINAL_SAMPLES))
    .sort((a, b) => b.medianMs - a.medianMs);
}

const { values } = parseArgs({ options: { json: { type: "string" } } });
search(); // Once for nothing, so that what is measured is not the start of the engine.
const found = search();
const worst = worstOfEach(found);

const nameOf = (topic: string) => Object.entries(topics).find(([, text]) => text === topic)?.[0];
console.table(
  worst.map(({ family, text, topic, parseMs, firstMs, medianMs, maxMs }) => ({
    family,
    characters: Array.from(text).length,
    topic: nameOf(topic),
    "parse ms": parseMs.toFixed(3),
    "first ms": firstMs.toFixed(3),
    "median ms": medianMs.toFixed(4),
    "max ms": maxMs.toFixed(3),
  })),
);

const ascending = (pick: (cost: Cost) => number) => found.map(pick).sort((a, b) => a - b);
const rows = [
  { name: "match, worst median", value: worst[0]?.medianMs ?? 0, unit: "ms" },
  { name: "match, worst single call", value: Math.max(...worst.map((cost) => cost.maxMs)), unit: "ms" },
  {
    name: "first match, 99th percentile of the search",
    value: percentile(ascending((cost) => cost.firstMs)),
    unit: "ms",
  },
  { name: "parse, 99th percentile of the search", value: percentile(ascending((cost) => cost.parseMs)), unit: "ms" },
  ...worst.map(({ family, medianMs }) => ({ name: `match, median, ${family}`, value: medianMs, unit: "ms" })),
];

console.log(`${found.length / Object.keys(topics).length} patterns, ${Object.keys(topics).length} topics each`);
for (const { name, value } of rows.slice(0, 4)) console.log(`${name}: ${value.toFixed(3)} ms`);
console.log(`Worst pattern: ${worst[0]?.text}`);
if (values.json !== undefined) {
  await Bun.write(
    values.json,
    `${JSON.stringify({ name: "pattern", date: new Date().toISOString(), rows }, null, 2)}\n`,
  );
}
if ((worst[0]?.medianMs ?? 0) > LIMIT_MS) process.exit(1);
