/**
 * Measures the program beside controls, and says which targets it meets.
 *
 *     npm run bench -- [NAME…] [--quick] [--rounds N] [--tries N] [--json FILE] [--report FILE.md] [--folder FOLDER] [--binary FILE]
 *
 * Without names, every bench runs. `--quick` shows in some minutes that all of them work, with figures that mean little.
 * `--tries` is how often a measurement is taken while other processes disturb it; default is 3, and 1 in a quick run.
 * `--folder` is where histories are written, on the disk to be measured; default is the system's temporary folder.
 * `--binary` takes a program that was compiled from these sources instead of building it. Exits 1 if a bench fails or,
 * unless quick, a target is missed.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { benches } from "./benches.ts";
import { type Bench, type Context, Skipped } from "./lib/bench.ts";
import { buildBinary } from "./lib/build.ts";
import { killChildren } from "./lib/child.ts";
import { historyFolder } from "./lib/history-file.ts";
import { describeMachine, pinSelf } from "./lib/machine.ts";
import { Neighbours, NOISY_CORES } from "./lib/neighbours.ts";
import { isGood, type Measured, type Outcome, toJson } from "./lib/outcome.ts";
import { Progress } from "./lib/progress.ts";
import { writeReport } from "./lib/report.ts";
import { textTable } from "./lib/table.ts";

/**
 * When a bench is given up, in seconds: for the histories that it may have to prepare, and for each measurement of all
 * its rows. None takes half as long.
 */
const PREPARE_SECONDS = 600;
const MEASURE_SECONDS = 600;

const ROUNDS = 5;
const WINDOW_SECONDS = 4;
/** Long enough for the engine to compile what is hot, and for the write-ahead log to reach the size that it keeps. */
const WARMUP_SECONDS = 3;
const TRIES = 3;
const QUICK_ROUNDS = 2;
const QUICK_SECONDS = 1;

const { values: options, positionals: names } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: "boolean", default: false },
    rounds: { type: "string" },
    tries: { type: "string" },
    json: { type: "string" },
    report: { type: "string" },
    folder: { type: "string", default: tmpdir() },
    binary: { type: "string" },
  },
});
process.on("SIGINT", () => process.exit(130));
process.on("SIGTERM", () => process.exit(143));
// Where the two ends of a measurement fail together, the bench reports the first failure; the second has no listener.
process.on("unhandledRejection", (error) => process.stderr.write(`${messageOf(error)}\n`));
process.exit((await main()) ? 0 : 1);

async function main(): Promise<boolean> {
  const chosen = choose(names);
  const progress = new Progress();
  const root = resolve(options.folder, "eventbus-bench");
  mkdirSync(root, { recursive: true });
  const folder = mkdtempSync(join(root, "run-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  const date = new Date().toISOString();
  const machine = describeMachine(folder);
  pinSelf();
  progress.begin("building");
  const binary = options.binary ? resolve(options.binary) : await buildBinary();
  const context: Context = {
    binary,
    folder,
    histories: await historyFolder(root),
    rounds: Number(options.rounds ?? (options.quick ? QUICK_ROUNDS : ROUNDS)),
    tries: Number(options.tries ?? (options.quick ? 1 : TRIES)),
    windowSeconds: options.quick ? QUICK_SECONDS : WINDOW_SECONDS,
    warmupSeconds: options.quick ? QUICK_SECONDS : WARMUP_SECONDS,
    isQuick: options.quick,
    progress,
  };
  const measured: Measured[] = [];
  const { isQuick, rounds, windowSeconds } = context;
  const outcome = { date, command: command(), isQuick, rounds, windowSeconds, machine, measured };
  for (const bench of chosen) {
    measured.push(await measure(bench, context));
    // After each one, so that a run that is ended early has figures too.
    await write(outcome);
  }
  progress.end();
  print(outcome);
  return isGood(outcome);
}

function choose(wanted: readonly string[]): readonly Bench[] {
  const unknown = wanted.find((name) => !benches.some((bench) => bench.name === name));
  if (unknown !== undefined) {
    process.stderr.write(`unknown bench ${unknown}: the benches are ${benches.map(({ name }) => name).join(", ")}\n`);
    process.exit(2);
  }
  return wanted.length === 0 ? benches : benches.filter(({ name }) => wanted.includes(name));
}

async function measure(bench: Bench, context: Context): Promise<Measured> {
  context.progress.begin(bench.title);
  const neighbours = new Neighbours();
  const startMs = performance.now();
  const outcome = await runBench(bench, context);
  const seconds = Math.round((performance.now() - startMs) / 1000);
  return { bench, ...outcome, seconds, othersCores: neighbours.cores };
}

/** A bench that fails, or does not end, has no rows; whatever it has left running is ended. */
async function runBench(bench: Bench, context: Context): Promise<Pick<Measured, "rows" | "skipped" | "failed">> {
  const seconds = PREPARE_SECONDS + MEASURE_SECONDS * context.rounds * context.tries;
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`it did not end within ${seconds} s`)), seconds * 1000);
  try {
    return { rows: await Promise.race([bench.run(context), late.promise]) };
  } catch (error) {
    if (error instanceof Skipped) return { rows: [], skipped: error.message };
    return { rows: [], failed: messageOf(error) };
  } finally {
    clearTimeout(timer);
    killChildren();
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The command that repeats the run, without files, since their names say nothing about it. */
function command(): string {
  const { quick, rounds, tries } = options;
  const rest = [
    ...names,
    ...(quick ? ["--quick"] : []),
    ...(rounds === undefined ? [] : ["--rounds", rounds]),
    ...(tries === undefined ? [] : ["--tries", tries]),
  ];
  return ["npm run bench", ...(rest.length === 0 ? [] : ["--", ...rest])].join(" ");
}

function print(outcome: Outcome): void {
  console.log(textTable(outcome));
  for (const { bench, failed, othersCores } of outcome.measured) {
    if (failed) console.error(`${bench.name} failed: ${failed}`);
    if (othersCores > NOISY_CORES) console.error(`${bench.name}: others used ${othersCores} cores meanwhile`);
  }
}

async function write(outcome: Outcome): Promise<void> {
  if (options.json !== undefined) await Bun.write(options.json, `${JSON.stringify(toJson(outcome), null, 2)}\n`);
  if (options.report !== undefined) await writeReport(outcome, options.report);
}
