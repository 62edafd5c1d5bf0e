import type { Bus } from "./bus/bus.ts";
import type { Histogram, Meter } from "./bus/meter.ts";

/** Seconds over which rates are averaged. */
const WINDOW_S = 10;

/** The figures of the meter at one moment. */
interface Snapshot {
  readonly head: number;
  readonly delivered: number;
  readonly commits: number;
  readonly committedEvents: number;
  readonly commitMs: readonly number[];
  readonly fsyncMs: readonly number[];
}

/** Figures since the start, and of the last seconds. */
export class Rates {
  readonly #bus: Bus;
  readonly #headAtStart: number;
  /** One for each of the last seconds, oldest first. */
  readonly #snapshots: Snapshot[];

  constructor(bus: Bus) {
    this.#bus = bus;
    this.#headAtStart = bus.head;
    this.#snapshots = [snapshotOf(bus)];
    setInterval(() => {
      this.#snapshots.push(snapshotOf(bus));
      if (this.#snapshots.length > WINDOW_S) this.#snapshots.shift();
    }, 1000).unref();
  }

  get published(): number {
    return this.#bus.head - this.#headAtStart;
  }

  /** Counts since the start; rates and quantiles of the last ten seconds, `null` if nothing was committed in them. */
  get stats() {
    const { meter } = this.#bus;
    const now = snapshotOf(this.#bus);
    const then = this.#snapshots[0] ?? now;
    const perSecond = (count: number) => rounded(count / this.#snapshots.length, 10);
    const commits = now.commits - then.commits;
    return {
      published: this.published,
      published_per_second: perSecond(now.head - then.head),
      delivered: now.delivered,
      delivered_per_second: perSecond(now.delivered - then.delivered),
      gaps: meter.gaps,
      replays: meter.replays,
      evictions: meter.evictions,
      commits: {
        count: now.commits,
        per_second: perSecond(commits),
        events_per_commit: commits === 0 ? null : rounded((now.committedEvents - then.committedEvents) / commits, 10),
        commit_ms: quantiles(meter.commitMs, then.commitMs),
        fsync_ms: quantiles(meter.fsyncMs, then.fsyncMs),
      },
    };
  }
}

function snapshotOf({ head, meter }: Bus): Snapshot {
  return {
    head,
    delivered: deliveredOf(meter),
    commits: meter.commits,
    committedEvents: meter.committedEvents,
    commitMs: [...meter.commitMs.counts],
    fsyncMs: [...meter.fsyncMs.counts],
  };
}

function deliveredOf({ delivered }: Meter): number {
  return delivered.websocket + delivered.stream + delivered.library;
}

/** The quantiles of the values added since the counts were `earlier`. */
function quantiles(histogram: Histogram, earlier: readonly number[]) {
  const counts = histogram.counts.map((count, index) => count - (earlier[index] ?? 0));
  return { p50: quantile(histogram.bounds, counts, 0.5), p99: quantile(histogram.bounds, counts, 0.99) };
}

/** The bound below which this share of the values is; `null` if there are none. */
function quantile(bounds: readonly number[], counts: readonly number[], share: number): number | null {
  const wanted = counts.reduce((sum, count) => sum + count, 0) * share;
  if (wanted === 0) return null;
  let passed = 0;
  const index = counts.findIndex((count) => {
    passed += count;
    return passed >= wanted;
  });
  return rounded(bounds[index] ?? bounds.at(-1) ?? 0, 1000);
}

function rounded(value: number, parts: number): number {
  return Math.round(value * parts) / parts;
}
