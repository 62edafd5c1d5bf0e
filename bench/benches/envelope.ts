import type { Bench, Context, Row } from "../lib/bench.ts";
import { takeTurns } from "../lib/rounds.ts";
import { runScript, type ScriptRow } from "../lib/script.ts";

export const envelope: Bench = {
  name: "envelope",
  title: "Reading an envelope",
  about:
    "The cost of cutting topic, source and data out of a publish without changing the data, in one process without a " +
    "network (`bench/envelope.bench.ts`), beside `JSON.parse` of the same text.",
  run,
};

/** Rows of the script that are shown, each with the one that it is compared with. */
const PAIRS = [
  ["parseEnvelope", "control: JSON.parse, data stringified"],
  ["parseEnvelopes: NDJSON of 10,000 lines", "control: NDJSON, split and JSON.parse"],
  ["parseEnvelope, a string of 1 MB", "control: JSON.parse, a string of 1 MB"],
] as const;

async function run(context: Context): Promise<readonly Row[]> {
  const { rounds } = await takeTurns(context, { rounds: () => runScript(context, "envelope") });
  return PAIRS.map(([name, control]) => ({
    name,
    unit: "ns",
    values: valuesOf(rounds, name),
    control: { name: control.replace("control: ", ""), values: valuesOf(rounds, control) },
    notes: [],
  }));
}

function valuesOf(rounds: readonly (readonly ScriptRow[])[], name: string): number[] {
  return rounds.map((rows) => {
    const row = rows.find((one) => one.name === name);
    if (row === undefined) throw new Error(`envelope.bench.ts has no row ${name}`);
    return row.value;
  });
}
