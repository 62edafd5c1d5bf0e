/**
 * What reading an envelope costs, beside `JSON.parse` and property reads on the same text.
 *
 *     bun bench/envelope.bench.ts [--json FILE]
 *
 * All rows take turns in short rounds and the median round counts, so that a busy machine slows all of them alike.
 */
import { parseArgs } from "node:util";
import { scanJson } from "../src/bus/json-scanner.ts";
import { parseEnvelope } from "../src/http/request/envelope.ts";
import { MAX_NDJSON_LINES, parseEnvelopes } from "../src/http/request/ndjson.ts";
import { decodeUtf8 } from "../src/http/request/utf8.ts";

const ENVELOPES = MAX_NDJSON_LINES;
const WARM_UP_ROUNDS = 20;
const ROUNDS = 60;
const MAX_LINE_BYTES = 1024 * 1024;

/** Made from bytes, as a body is: a string that is still put together from parts would be slower to read. */
const texts = Array.from({ length: ENVELOPES }, (_, index) => decodeUtf8(new TextEncoder().encode(envelopeOf(index))));
const bytes = texts.map((text) => new TextEncoder().encode(text));
const body = decodeUtf8(new TextEncoder().encode(texts.join("\n")));
const long = decodeUtf8(new TextEncoder().encode(`{"topic":"a","data":"${"x".repeat(1_000_000)}"}`));

interface Case {
  readonly name: string;
  /** What one round does, and how many envelopes that are. */
  readonly run: () => unknown;
  readonly envelopes: number;
}

const cases: readonly Case[] = [
  each("control: JSON.parse, three reads", texts, readWithJsonParse),
  each("control: JSON.parse, data stringified", texts, (text) => JSON.stringify(readWithJsonParse(text).data)),
  each("scanJson: validation alone", texts, (text) => scanJson(text, 0)),
  each("parseEnvelope", texts, parseEnvelope),
  each("decodeUtf8 and parseEnvelope", bytes, (one) => parseEnvelope(decodeUtf8(one))),
  { name: "control: NDJSON, split and JSON.parse", run: splitAndParse, envelopes: ENVELOPES },
  { name: "parseEnvelopes: NDJSON of 10,000 lines", run: parseLines, envelopes: ENVELOPES },
  { name: "control: JSON.parse, a string of 1 MB", run: () => readWithJsonParse(long), envelopes: 1 },
  { name: "parseEnvelope, a string of 1 MB", run: () => parseEnvelope(long), envelopes: 1 },
];

function envelopeOf(index: number): string {
  const items = `[{"sku":"A-${index % 997}","n":2}]`;
  const data = `{"id":${1000 + index},"total":19.90,"currency":"EUR","items":${items},"note":"hello, world"}`;
  return `{"topic":"orders.created","data":${data},"source":"shop"}`;
}

function each<T>(name: string, inputs: readonly T[], read: (input: T) => unknown): Case {
  const run = () => {
    let last: unknown;
    for (const input of inputs) last = read(input);
    return last;
  };
  return { name, run, envelopes: inputs.length };
}

function readWithJsonParse(text: string): { topic: unknown; data: unknown; source: unknown } {
  const { topic, data, source } = JSON.parse(text);
  return { topic, data, source };
}

function splitAndParse(): unknown {
  return body.split("\n").map(readWithJsonParse);
}

function parseLines(): unknown {
  return parseEnvelopes(body, { maxLines: MAX_NDJSON_LINES, maxLineBytes: MAX_LINE_BYTES });
}

/** Nanoseconds an envelope of each case, round by round. */
function measure(rounds: number): number[][] {
  const nanoseconds = cases.map((): number[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [index, { run, envelopes }] of cases.entries()) {
      const start = Bun.nanoseconds();
      run();
      nanoseconds[index]?.push((Bun.nanoseconds() - start) / envelopes);
    }
  }
  return nanoseconds;
}

function middle(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

const { values: options } = parseArgs({ options: { json: { type: "string" } } });
measure(WARM_UP_ROUNDS);
const measured = measure(ROUNDS);
const rows = cases.map(({ name }, index) => ({ name, value: Math.round(middle(measured[index] ?? [])), unit: "ns" }));

console.log(`One envelope of ${texts[0]?.length} bytes, unless a row says otherwise; median of ${ROUNDS} rounds`);
console.table(
  rows.map(({ name, value }, index) => ({
    name,
    "ns an envelope": value,
    "fastest round": Math.round(Math.min(...(measured[index] ?? []))),
    "envelopes a second": Math.round(1e9 / value).toLocaleString("en"),
  })),
);
if (options.json !== undefined) {
  const report = { name: "envelope", date: new Date().toISOString(), rows };
  await Bun.write(options.json, `${JSON.stringify(report, undefined, 2)}\n`);
}
