import { expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { lineChart } from "../../bench/lib/svg.ts";
import { Binary } from "../helpers/binary.ts";
import { Load, randomFrom } from "../helpers/load.ts";
import { Pace } from "../helpers/pace.ts";
import { IS_LONG, report, rounds, SEED } from "../helpers/rounds.ts";
import { TempFolder } from "../helpers/temp.ts";
import { Following } from "./lib/following.ts";
import { type Sample, Sampler } from "./lib/samples.ts";
import { type Cheat, startServer } from "./lib/server.ts";
import { Worker } from "./lib/worker.ts";

const SECONDS = rounds(10, 1800);
const CHEATING_SECONDS = 8;
const PEAK_SECONDS = IS_LONG ? 20 : 2;
/** Share of what the same publishers reach when nothing holds them back. */
const SHARE_OF_PEAK = 0.5;
/** Peak in events a second, for a machine whose other work would disturb its measurement. */
const PEAK =
  process.env["EVENTBUS_FAULTS_PEAK"] === undefined ? undefined : Number(process.env["EVENTBUS_FAULTS_PEAK"]);
const PUBLISHERS = { single: 3, many: 2, keyed: 2, socket: 2 };
const TRANSPORTS = ["websocket", "events", "lines"] as const;
/** Events after which a subscriber that comes and goes resumes. */
const EVENTS_A_STAY = 5000;
/** How much larger the end of a long run may be than its middle: what is flat varies by this. */
const FLAT = 1.25;
/** Time between two lines that show how far a long run is, in milliseconds. */
const PROGRESS_MS = 30_000;
const GROWTHS = ["mib", "descriptors", "walMib", "fileMib"] as const;
const ARGS = ["--db", "a.db", "--max-history", "20000", "--prune-interval", "1s"];
const PLOT = resolve(import.meta.dir, "../../docs/faults/soak.svg");

interface Run {
  readonly samples: readonly Sample[];
  readonly faults: readonly string[];
  readonly problems: readonly string[];
  readonly figures: Readonly<Record<string, number>>;
}

/** Events a second that the publishers reach. */
async function measurePeak(): Promise<number> {
  using folder = TempFolder.onDisk();
  await using server = await Binary.start({ folder: folder.path, args: ARGS });
  const load = new Load(randomFrom(SEED));
  load.start(server.url, PUBLISHERS);
  await Bun.sleep(PEAK_SECONDS * 1000);
  const { acknowledged } = load;
  await server.kill();
  await load.ended();
  return acknowledged / PEAK_SECONDS;
}

/** Publishers, subscribers that stay and that come and go, a consumer, readers, pruning and backups, all at once. */
async function soak(seconds: number, pace?: Pace, cheat?: Cheat): Promise<Run> {
  using folder = TempFolder.onDisk();
  await using server = await startServer({ folder: folder.path, args: ARGS }, cheat);
  const load = new Load(randomFrom(SEED));
  const worker = await Worker.start(server.url);
  const staying = TRANSPORTS.map((transport) => new Following(transport));
  const coming = TRANSPORTS.map((transport) => new Following(transport));
  let isOver = false;
  const following = [
    ...staying.map((one) => one.readFrom(server.url)),
    ...coming.map((one) => comeAndGo(one, server.url, () => isOver)),
  ];
  load.start(server.url, PUBLISHERS, pace);
  const sampler = new Sampler(server, seconds);
  const show = progressOf(seconds);
  const samples = await sampler.run((sample) => {
    if (IS_LONG) show(sample);
    // What was received is compared as it comes; keeping it would make this process grow.
    for (const one of [...staying, ...coming]) one.forget();
    load.forget();
  });
  isOver = true;
  expect(server.stderr).not.toMatch(/ (error|fatal) /);
  expect(await server.stop()).toBe(0);
  await Promise.all([load.ended(), ...following, worker.ended]);
  return {
    samples,
    faults: [...staying, ...coming].flatMap(({ transport, faults }) => faults.map((fault) => `${transport}: ${fault}`)),
    problems: [...load.problems.filter((code) => code !== "shutting_down"), ...sampler.problems],
    figures: {
      acknowledged: load.acknowledged,
      "acknowledged by the consumer": worker.acknowledged,
      delivered: [...staying, ...coming].reduce((sum, { delivered }) => sum + delivered, 0),
      gaps: [...staying, ...coming].reduce((sum, { gaps }) => sum + gaps, 0),
    },
  };
}

/** Prints a sample every half minute. */
function progressOf(seconds: number): (sample: Sample) => void {
  const startMs = performance.now();
  let shownMs = startMs;
  return ({ eventsPerSecond, mib, descriptors, walMib, fileMib, medianMs, longestMs }) => {
    const nowMs = performance.now();
    if (nowMs - shownMs < PROGRESS_MS) return;
    shownMs = nowMs;
    const files = `${fileMib.toFixed(1)} MiB of file, ${walMib.toFixed(1)} of log`;
    const waits = `a publish takes ${medianMs.toFixed(1)} ms, at most ${longestMs.toFixed(0)}`;
    const secondsDone = Math.round((nowMs - startMs) / 1000);
    const rate = `${Math.round(eventsPerSecond)} events/s`;
    console.log(
      `${secondsDone} of ${seconds} s: ${rate}, ${mib} MiB resident, ${descriptors} descriptors, ${files}; ${waits}`,
    );
  };
}

async function comeAndGo(following: Following, url: string, isOver: () => boolean): Promise<void> {
  while (!isOver()) await following.readFrom(url, following.position + EVENTS_A_STAY);
}

function most(samples: readonly Sample[], figure: keyof Sample): number {
  return Math.max(...samples.map((sample) => sample[figure]));
}

/** The third quarter of a run, and the last. */
function lastQuarters(samples: readonly Sample[]): [middle: readonly Sample[], end: readonly Sample[]] {
  const [half, last] = [samples.length / 2, samples.length * 0.75];
  return [samples.slice(half, last), samples.slice(last)];
}

function grownIn(samples: readonly Sample[]): string[] {
  const [middle, end] = lastQuarters(samples);
  return GROWTHS.filter((figure) => most(end, figure) > most(middle, figure) * FLAT);
}

function plot(samples: readonly Sample[], seconds: number): string {
  const of = (figure: keyof Sample) => samples.map((sample) => sample[figure]);
  return lineChart(
    [
      { title: "Events published", unit: "a second", series: { events: of("eventsPerSecond") } },
      { title: "Resident memory", unit: "MiB", series: { memory: of("mib") } },
      { title: "Descriptors", unit: "", series: { descriptors: of("descriptors") } },
      { title: "File and log", unit: "MiB", series: { file: of("fileMib"), "write-ahead log": of("walMib") } },
      { title: "Duration of a publish", unit: "ms", series: { median: of("medianMs"), longest: of("longestMs") } },
    ],
    seconds,
  );
}

test(
  `after ${SECONDS} seconds with everything on, nothing has grown, and every subscriber is complete`,
  async () => {
    const peak = PEAK ?? (await measurePeak());
    if (IS_LONG) console.log(`peak: ${Math.round(peak)} events/s, of which ${Math.round(peak * SHARE_OF_PEAK)} follow`);
    const { samples, faults, problems, figures } = await soak(SECONDS, new Pace(peak * SHARE_OF_PEAK));
    const [middle, end] = lastQuarters(samples);
    const shown = (figure: keyof Sample) => `${most(middle, figure).toFixed(1)}→${most(end, figure).toFixed(1)}`;
    report(`soak of ${SECONDS} s`, {
      ...figures,
      "events/s of peak": Math.round(peak),
      "events/s": Math.round((figures["acknowledged"] ?? 0) / SECONDS),
      "MiB resident": shown("mib"),
      descriptors: shown("descriptors"),
      "MiB of log": shown("walMib"),
      "MiB of file": shown("fileMib"),
      "ms, median": shown("medianMs"),
    });
    if (IS_LONG) {
      mkdirSync(dirname(PLOT), { recursive: true });
      writeFileSync(PLOT, plot(samples, SECONDS));
    }
    expect({ faults, problems }).toEqual({ faults: [], problems: [] });
    if (IS_LONG) expect(grownIn(samples)).toEqual([]);
  },
  SECONDS * 2000 + 120_000,
);

test("a server that gives nothing back is detected", async () => {
  const { samples } = await soak(CHEATING_SECONDS, undefined, "leak");
  expect(grownIn(samples)).toContain("descriptors");
}, 120_000);
