import { Command } from "commander";
import type { EventBusClient, Subscription } from "../client/index.ts";
import { type ConnectionOptions, connectTo, interruption, wholeNumber, withConnection } from "./connection.ts";
import { print, say } from "./terminal/output.ts";
import { ProgressLine } from "./terminal/progress-line.ts";

interface BenchFlags extends ConnectionOptions {
  readonly count: number;
  readonly seconds: number;
  readonly publishers: number;
  readonly subscribers: number;
  readonly bytes: number;
  readonly json?: boolean;
}

const EXAMPLES = `
Each publisher sends one event at a time, as soon as the previous one is
acknowledged; every subscriber receives all events. The run ends at --count or
--seconds, whichever comes first. The events have topics that begin with
"bench." and stay in the history, where they displace older ones once
--max-history is reached: do not run it on a production bus. The figures are
for this program and the server together, on this machine.

Examples:
  $ eventbus bench
  $ eventbus bench --publishers 64 --subscribers 0 --seconds 30 --json`;

/** How long the last events may take to arrive once all are published, in milliseconds. */
const ARRIVAL_MS = 10_000;
const BAR_WIDTH = 40;
const SHOW_MS = 100;

/** The command that measures a running server. */
export function benchCommand(): Command {
  const command = new Command("bench")
    .description("benchmark a running server; writes events to its history")
    .option("--count <n>", "maximum number of events to publish", wholeNumber(1, 10_000_000), 100_000)
    .option("--seconds <n>", "maximum time to publish for", wholeNumber(1, 3600), 5)
    .option("--publishers <n>", "concurrent publishers", wholeNumber(1, 128), 16)
    .option("--subscribers <n>", "subscribers to every event", wholeNumber(0, 64), 4)
    .option("--bytes <n>", "size of the data", wholeNumber(2, 1_000_000), 100)
    .option("--json", "print the figures as JSON")
    .addHelpText("after", EXAMPLES);
  return withConnection(command).action(async (flags: BenchFlags) => {
    process.exitCode = await bench(flags);
  });
}

async function bench(flags: BenchFlags): Promise<number> {
  say("this writes events to the server's history, under topics that begin with bench.");
  const bus = connectTo(flags);
  const run = new Run(bus, flags);
  try {
    await run.subscribe();
    await run.publish();
    const isWhole = await run.arrival();
    await print(flags.json ? `${JSON.stringify(run.figures())}\n` : run.report());
    if (!isWhole) say(`not every event arrived within ${ARRIVAL_MS / 1000} s`);
    return isWhole ? 0 : 1;
  } finally {
    bus.close();
  }
}

class Run {
  readonly #bus: EventBusClient;
  readonly #flags: BenchFlags;
  readonly #topic = `bench.${crypto.randomUUID().slice(0, 8)}`;
  readonly #stop = interruption();
  readonly #publishMs: number[] = [];
  readonly #deliveryMs: number[] = [];
  readonly #sentMs: number[] = [];
  readonly #readers: Promise<void>[] = [];
  #published = 0;
  #delivered = 0;
  #publishedMs = 0;
  #deliveredMs = 0;
  #isPublished = false;

  constructor(bus: EventBusClient, flags: BenchFlags) {
    this.#bus = bus;
    this.#flags = flags;
  }

  async subscribe(): Promise<void> {
    const subscriptions = Array.from({ length: this.#flags.subscribers }, () => this.#bus.subscribe(this.#topic));
    await Promise.all(subscriptions.map(({ opened }) => opened));
    this.#readers.push(...subscriptions.map((subscription) => this.#read(subscription)));
    for (const reader of this.#readers) reader.catch(() => {});
  }

  async publish(): Promise<void> {
    const { count, seconds, publishers, bytes } = this.#flags;
    const beganMs = performance.now();
    const endMs = beganMs + seconds * 1000;
    const progress = new ProgressLine();
    const timer = setInterval(() => progress.show(this.#progress(performance.now() - beganMs)), SHOW_MS);
    let sent = 0;
    const publishOn = async () => {
      while (sent < count && performance.now() < endMs && !this.#stop.aborted) {
        const number = sent++;
        const startMs = performance.now();
        this.#sentMs[number] = startMs;
        await this.#bus.publishRaw(this.#topic, String(number).padEnd(bytes), { source: String(number) });
        this.#publishMs.push(performance.now() - startMs);
        this.#published++;
      }
    };
    try {
      await Promise.all(Array.from({ length: publishers }, publishOn));
    } finally {
      clearInterval(timer);
      progress.clear();
    }
    this.#publishedMs = performance.now() - beganMs;
    this.#deliveredMs ||= this.#publishedMs;
    this.#isPublished = true;
  }

  /** Whether every subscriber has received everything that was published. */
  async arrival(): Promise<boolean> {
    const isDue = () => this.#delivered >= this.#published * this.#flags.subscribers;
    const endMs = performance.now() + ARRIVAL_MS;
    while (!isDue() && performance.now() < endMs) await Bun.sleep(1);
    this.#bus.close();
    await Promise.allSettled(this.#readers);
    return isDue();
  }

  figures() {
    return {
      topic: this.#topic,
      events: this.#published,
      seconds: this.#publishedMs / 1000,
      published_per_second: rate(this.#published, this.#publishedMs),
      publish_ms: percentiles(this.#publishMs),
      subscribers: this.#flags.subscribers,
      delivered: this.#delivered,
      delivered_per_second: rate(this.#delivered, this.#deliveredMs),
      delivery_ms: percentiles(this.#deliveryMs),
    };
  }

  report(): string {
    const { topic, events, seconds, published_per_second, delivered, delivered_per_second } = this.figures();
    const parts = [
      `${plural(events, "event")} of ${this.#flags.bytes} bytes to ${topic} in ${seconds.toFixed(2)} s\n`,
      `\npublished  ${published_per_second}/s, milliseconds until acknowledged:\n${histogram(this.#publishMs)}`,
    ];
    if (delivered > 0) {
      const deliveries = `${delivered_per_second}/s to ${plural(this.#flags.subscribers, "subscriber")}`;
      parts.push(`\ndelivered  ${deliveries}, milliseconds from publish to receipt:\n${histogram(this.#deliveryMs)}`);
    }
    return parts.join("");
  }

  async #read(subscription: Subscription): Promise<void> {
    const beganMs = performance.now();
    for await (const { source } of subscription) {
      const nowMs = performance.now();
      this.#deliveryMs.push(nowMs - (this.#sentMs[Number(source)] ?? nowMs));
      this.#delivered++;
      if (this.#isPublished || this.#delivered % 64 === 0) this.#deliveredMs = nowMs - beganMs;
    }
  }

  #progress(elapsedMs: number): string {
    const { count, seconds } = this.#flags;
    const done = Math.min(1, Math.max(this.#published / count, elapsedMs / (seconds * 1000)));
    const bar = "█".repeat(Math.floor(done * BAR_WIDTH)).padEnd(BAR_WIDTH, "░");
    return `${bar} ${this.#published} published, ${rate(this.#published, elapsedMs)}/s`;
  }
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

function rate(count: number, elapsedMs: number): number {
  return elapsedMs <= 0 ? 0 : Math.round((count * 1000) / elapsedMs);
}

/** Percentiles, in milliseconds; null if there are no values. */
export function percentiles(timesMs: readonly number[]): Record<"p50" | "p90" | "p99" | "max", number | null> {
  const sorted = Float64Array.from(timesMs).sort();
  const at = (share: number) => rounded(sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)]);
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
}

function rounded(timeMs: number | undefined): number | null {
  return timeMs === undefined ? null : Math.round(timeMs * 1000) / 1000;
}

/** A bar for each doubling of the time, and the percentiles under it. */
export function histogram(timesMs: readonly number[]): string {
  const counts = new Map<number, number>();
  for (const timeMs of timesMs) {
    const power = Math.ceil(Math.log2(Math.max(timeMs, MIN_BUCKET_MS)));
    counts.set(power, (counts.get(power) ?? 0) + 1);
  }
  const most = Math.max(...counts.values());
  const bars = [...counts]
    .sort(([left], [right]) => left - right)
    .map(([power, n]) => `  ≤ ${String(2 ** power).padEnd(8)} ${"█".repeat(Math.ceil((n / most) * BAR_WIDTH))} ${n}\n`);
  const { p50, p90, p99, max } = percentiles(timesMs);
  return `${bars.join("")}  p50 ${p50}  p90 ${p90}  p99 ${p99}  max ${max}\n`;
}
const MIN_BUCKET_MS = 0.125;
