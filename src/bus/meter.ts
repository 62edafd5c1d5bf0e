/** Ways in which events are delivered. */
export type Transport = "websocket" | "stream" | "library";

/** A commit that takes longer is logged, in milliseconds. */
const SLOW_COMMIT_MS = 250;
/** A slice of pruning that blocks the loop for longer is logged, too: ten times its target. */
const SLOW_SLICE_MS = 40;

/** Seconds: from the duration of a write to memory to that of a failing disk. */
export const SECONDS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];
const EVENTS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096];
/** Milliseconds, each a tenth above the last, so that the error of a quantile is at most a tenth: 10 µs to 15 s. */
const FINE_MS = Array.from({ length: 150 }, (_, index) => 0.01 * 1.1 ** index);

/** Counts of values between bounds. */
export class Histogram {
  /** Inclusive upper bounds, ascending. */
  readonly bounds: readonly number[];
  /** Values up to each bound and above the one before it; the last count is of those above all bounds. */
  readonly counts: number[];
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = Array(bounds.length + 1).fill(0);
  }

  observe(value: number): void {
    let low = 0;
    let high = this.bounds.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (value <= (this.bounds[middle] ?? 0)) high = middle;
      else low = middle + 1;
    }
    this.counts[low] = (this.counts[low] ?? 0) + 1;
    this.sum += value;
  }
}

/** Counts by one label; the program itself chooses its values. */
export class Tally {
  readonly counts = new Map<string, number>();

  add(name: string): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
  }
}

export interface SlowOperation {
  readonly operation: "commit" | "prune slice";
  readonly durationMs: number;
}

export type OnSlow = (slow: SlowOperation) => void;

/** What one bus and its edges have done since the start, in plain numbers: cheap to count, and read on demand. */
export class Meter {
  /** Events delivered to subscribers, by transport. */
  readonly delivered: Record<Transport, number> = { websocket: 0, stream: 0, library: 0 };
  /** Bytes of the JSON of these events. */
  readonly deliveredBytes: Record<Transport, number> = { websocket: 0, stream: 0, library: 0 };
  publishedBytes = 0;
  /** Subscriptions that started in the past. */
  replays = 0;
  /** Gaps reported to subscribers. */
  gaps = 0;
  /** Slow subscribers moved from live delivery to replay. */
  evictions = 0;
  commits = 0;
  committedEvents = 0;
  readonly commitEvents = new Histogram(EVENTS);
  readonly commitSeconds = new Histogram(SECONDS);
  readonly fsyncSeconds = new Histogram(SECONDS);
  readonly commitMs = new Histogram(FINE_MS);
  readonly fsyncMs = new Histogram(FINE_MS);
  readonly pruneSeconds = new Histogram(SECONDS);
  prunedEvents = 0;
  /** Requests that failed authentication or authorization, by reason. */
  readonly authFailures = new Tally();
  /** Requests and connections that reached a limit, by limit. */
  readonly limitHits = new Tally();
  readonly #http = new Map<string, Histogram>();
  /** Most requests equal the one before. */
  #lastHttp: { method: string; route: string; status: number; histogram: Histogram } | undefined;
  readonly #onSlow: OnSlow;

  constructor(onSlow: OnSlow = () => {}) {
    this.#onSlow = onSlow;
  }

  deliver(transport: Transport, events: number, bytes: number): void {
    this.delivered[transport] += events;
    this.deliveredBytes[transport] += bytes;
  }

  /** `fsyncMs` is the duration of the COMMIT statement, in which SQLite waits for the disk. */
  commit(events: number, commitMs: number, fsyncMs: number): void {
    this.commits++;
    this.committedEvents += events;
    this.commitEvents.observe(events);
    this.commitSeconds.observe(commitMs / 1000);
    this.fsyncSeconds.observe(fsyncMs / 1000);
    this.commitMs.observe(commitMs);
    this.fsyncMs.observe(fsyncMs);
    if (commitMs > SLOW_COMMIT_MS) this.#onSlow({ operation: "commit", durationMs: commitMs });
  }

  prune(events: number, durationMs: number): void {
    this.prunedEvents += events;
    this.pruneSeconds.observe(durationMs / 1000);
  }

  slice(durationMs: number): void {
    if (durationMs > SLOW_SLICE_MS) this.#onSlow({ operation: "prune slice", durationMs });
  }

  /** `route` is a template, never a path as it was sent. */
  request(method: string, route: string, status: number, durationMs: number): void {
    const last = this.#lastHttp;
    if (last?.status === status && last.route === route && last.method === method) {
      last.histogram.observe(durationMs / 1000);
      return;
    }
    const key = `${method} ${route} ${status}`;
    const histogram = this.#http.get(key) ?? new Histogram(SECONDS);
    this.#http.set(key, histogram);
    this.#lastHttp = { method, route, status, histogram };
    histogram.observe(durationMs / 1000);
  }

  /** Durations in seconds by `METHOD route status`. */
  get http(): ReadonlyMap<string, Histogram> {
    return this.#http;
  }
}
