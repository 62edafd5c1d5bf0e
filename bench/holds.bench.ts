/**
 * The longest that one turn of the server's event loop takes while it is asked questions of one kind: the time, or the
 * processor time of its thread if that is less, as it is where other processes use the core. Needs Linux with glibc.
 *
 *     bun bench/holds.bench.ts --history FILE [--seconds N] [--only TEXT] [--json FILE]
 *
 * The history is one with a million topics, `site17.sensor3`; the file is changed. Questions come one after another on
 * one connection, and then on twenty; each differs from those before.
 */

import { dlopen } from "bun:ffi";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import pino from "pino";
import type { HistoryQuery } from "../src/bus/bus.ts";
import { readConfig } from "../src/config.ts";
import { Service } from "../src/service.ts";
import { TokenMaker } from "./lib/jwt.ts";
import { Program } from "./lib/program.ts";
import type { AskCommands } from "./load/ask.ts";
import type { ConnectCommands } from "./load/connect.ts";
import { below } from "./load/requests.ts";

const { values } = parseArgs({
  options: {
    history: { type: "string" },
    seconds: { type: "string", default: "3" },
    only: { type: "string", default: "" },
    json: { type: "string" },
  },
});
const SECONDS = Number(values.seconds);
const SITES = 100_000;
const SENSORS = 10;
const PATHS = 2000;
/** The work of this process that begins a load has ended by then; it is not measured. */
const BEGIN_MS = 150;
const CROWD = 20;
const CONNECTS_A_SECOND = 20;
const KEPT = 50;
/** Of `clock_gettime` on Linux. */
const CLOCK_THREAD_CPUTIME_ID = 3;
const tokens = new TokenMaker();
const threadCpuMs = openThreadClock();

const hourAgo = new Date(Date.now() - 3_600_000).toISOString();
const patterns: Readonly<Record<string, () => string>> = {
  literal: () => `site${below(SITES)}.sensor${below(SENSORS)}`,
  prefix: () => `site${100 + below(900)}*`,
  "leading star": () => `*${below(SITES)}.sensor${below(SENSORS)}`,
  "star in the middle": () => `site*${below(SITES)}.*`,
  class: () => `[a-t]*${below(SITES)}*`,
  braces: () => `{site${below(SITES)},*${below(SITES)},x${below(10)}}*`,
};
const history = (query: string) => `/api/events/history?last=50&${query}`;
const paths: Readonly<Record<string, () => string>> = {
  ...Object.fromEntries(
    Object.entries(patterns).map(([name, pattern]) => [`history, ${name}`, () => history(topicOf(pattern()))]),
  ),
  "history, source": () => history(`source=s${below(1e6)}`),
  "history, prefix until a time": () => history(`${topicOf(`site${below(900)}*`)}&to=${timeBetween()}`),
  "history, leading star until a time": () => history(`${topicOf(`*${below(SITES)}`)}&to=${timeBetween()}`),
  "history, oldest first": () => history(`${topicOf(`*${below(SITES)}`)}&after=0`),
  "topics, prefix": () => `/api/topics?limit=100&pattern=site${100 + below(900)}*`,
  "topics, leading star": () => `/api/topics?limit=100&pattern=*${below(SITES)}`,
  stats: () => "/api/stats?",
};
const subscriptions: Readonly<Record<string, () => string>> = {
  "subscribe, last": () => `last=10&${patternOf()}`,
  "subscribe, since": () => `since=${hourAgo}&${patternOf()}`,
};

const folder = mkdtempSync(join(tmpdir(), "holds-bench-"));
const config = {
  ...readConfig({}, {}),
  port: 0,
  db: values.history ?? "",
  jwtSecret: tokens.secret,
  maxHistory: 100_000_000,
};
const service = new Service({ config, log: pino({ level: "error" }), version: "0.0.0-bench", onFailure: () => {} });
const port = Number(new URL(service.url).port);
const admin = tokens.make({ admin: true });
const times = await Promise.all([timeOfFirst({ order: "oldest" }), timeOfFirst({ order: "newest" })]);
const monitor = watchLoop();
const rows: { name: string; value: number; unit: string; served: number }[] = [];
for (const [name, path] of Object.entries(paths)) {
  await row(name, () => ask(1, path));
  await row(`${name}, ${CROWD} at once`, () => ask(CROWD, path));
}
for (const [name, query] of Object.entries(subscriptions)) {
  await row(name, () => connect(() => `${query()}&access_token=${admin}`));
  await row(`${name}, scope`, () =>
    connect(() => `${query()}&access_token=${tokens.make({ subscribe: [scopePattern()] })}`),
  );
}
monitor.stop();
await service.stop();
rmSync(folder, { recursive: true });
console.table(rows);
if (values.json !== undefined) {
  await Bun.write(values.json, `${JSON.stringify({ name: "holds", date: new Date().toISOString(), rows }, null, 2)}\n`);
}
process.exit();

async function row(name: string, load: () => Promise<number>): Promise<void> {
  if (!name.includes(values.only)) return;
  const loading = load();
  await Bun.sleep(BEGIN_MS);
  monitor.reset();
  const served = await loading;
  rows.push({ name, value: monitor.longestMs, unit: "ms", served });
}

async function ask(connections: number, path: () => string): Promise<number> {
  const list = Array.from({ length: PATHS }, () => `${path()}&access_token=${admin}`);
  const program = new Program<AskCommands>("ask", folder);
  const { timesMs } = await program.ask("askFor", { port, paths: list, seconds: SECONDS, connections });
  await program.stop();
  return timesMs.length;
}

async function connect(query: () => string): Promise<number> {
  const program = new Program<ConnectCommands>("connect", folder);
  const list = Array.from({ length: CONNECTS_A_SECOND * SECONDS }, () => `/api/events/subscribe?${query()}`);
  const load = { port, paths: list, rate: CONNECTS_A_SECOND, seconds: SECONDS, kept: KEPT };
  const { connectsPerSecond } = await program.ask("connect", load);
  await program.stop();
  return Math.round(connectsPerSecond * SECONDS);
}

/** Measures every turn of the loop, by an immediate in each. */
function watchLoop() {
  let last = usage();
  let longestMs = 0;
  let isStopped = false;
  const look = () => {
    const now = usage();
    longestMs = Math.max(longestMs, Math.min(now.elapsedMs - last.elapsedMs, now.cpuMs - last.cpuMs));
    last = now;
    if (!isStopped) setImmediate(look);
  };
  look();
  return {
    get longestMs() {
      return longestMs;
    },
    reset() {
      longestMs = 0;
      last = usage();
    },
    stop() {
      isStopped = true;
    },
  };
}

function usage() {
  return { elapsedMs: performance.now(), cpuMs: threadCpuMs() };
}

/** Opens the clock of the calling thread. JavaScript has only that of the process, with the collector's own threads. */
function openThreadClock(): () => number {
  const { symbols } = dlopen("libc.so.6", { clock_gettime: { args: ["i32", "ptr"], returns: "i32" } });
  const time = new BigInt64Array(2);
  return () => {
    symbols.clock_gettime(CLOCK_THREAD_CPUTIME_ID, time);
    return Number(time[0]) * 1000 + Number(time[1]) / 1e6;
  };
}

async function timeOfFirst({ order }: Pick<HistoryQuery, "order">): Promise<number> {
  for await (const { events } of service.bus.pages({ filter: {}, order, limit: 1 })) {
    return Date.parse(events[0]?.created_at ?? "");
  }
  return Number.NaN;
}

function patternOf(): string {
  return topicOf(scopePattern()).replace("topic=", "pattern=");
}

function scopePattern(): string {
  const forms = Object.values(patterns);
  return forms[below(forms.length)]?.() ?? "*";
}

function topicOf(pattern: string): string {
  return `topic=${encodeURIComponent(pattern)}`;
}

function timeBetween(): string {
  const [oldest, newest] = times;
  return new Date(oldest + Math.random() * (newest - oldest)).toISOString();
}
