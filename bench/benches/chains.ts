import type { Bench, Context, Row } from "../lib/bench.ts";
import { takeTurns } from "../lib/rounds.ts";
import { runScript, type ScriptRow } from "../lib/script.ts";

export const chains: Bench = {
  name: "chains",
  title: "Chains beside an index",
  about:
    "The table of events alone, in SQLite without the fsync (`bench/chains.bench.ts`): half a million events of " +
    "10,000 series at random, 64 per transaction. Ours links the events of a series by three numbers in each row; " +
    "the control has an ordinary index on series instead. Then the newest 50 events of 100 series are read, from " +
    "all events and from those before one in the middle.",
  run,
};

async function run(context: Context): Promise<readonly Row[]> {
  const { rounds } = await takeTurns(context, { rounds: () => runScript(context, "chains") });
  return [
    rowOf("events appended to a chained table", "append", rounds, [
      `without either: ${valuesOf("bare, append", rounds).map(Math.round).join(", ")} events/s`,
    ]),
    rowOf("the newest 50 of 100 chained series", "newest", rounds, []),
    rowOf("the newest 50 of 100 chained series before an event", "before", rounds, []),
  ];
}

type Rounds = readonly (readonly ScriptRow[])[];

function rowOf(name: string, kind: string, rounds: Rounds, notes: readonly string[]): Row {
  return {
    name,
    unit: kind === "append" ? "events/s" : "ms",
    values: valuesOf(`chained, ${kind}`, rounds),
    control: { name: "an index on series", values: valuesOf(`indexed, ${kind}`, rounds) },
    notes,
  };
}

function valuesOf(name: string, rounds: Rounds): number[] {
  return rounds.map((rows) => rows.find((row) => row.name === name)?.value ?? Number.NaN);
}
