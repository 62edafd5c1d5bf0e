import type { Outcome } from "./poster.ts";

/** Failures in a row, of more than one event, after which an endpoint counts as down. */
const DOWN_AFTER = 5;
/** Between two probes of an endpoint that is down, in milliseconds: doubles up to the maximum. */
const FIRST_PROBE_MS = 1000;
const MAX_PROBE_MS = 60_000;
/** Too many requests, and what proxies respond while the server behind them is away. */
const AWAY = [429, 502, 503, 504];

/**
 * Whether an endpoint works, as far as its responses show. One that has failed several events in a row is down: it is
 * probed by one request at a time.
 */
export class EndpointHealth {
  /** The monotonic clock, in milliseconds. */
  readonly #now: () => number;
  /** Events that failed since one was accepted. */
  readonly #failed = new Set<number>();
  #failures = 0;
  /** Probes that failed since one was accepted. */
  #probes = 0;
  #notBeforeMs = Number.NEGATIVE_INFINITY;

  constructor(now: () => number) {
    this.#now = now;
  }

  get isDown(): boolean {
    return this.#failures >= DOWN_AFTER && this.#failed.size > 1;
  }

  /** Whether nothing may be posted now. */
  get isResting(): boolean {
    return this.#now() < this.#notBeforeMs;
  }

  /**
   * Whether the next probe should be an event that was not tried before: every other one. If all that failed so far is
   * at fault, and not the endpoint, such a probe shows it.
   */
  get prefersNew(): boolean {
    return this.isDown && this.#probes % 2 === 1;
  }

  accepted(): void {
    this.#failures = 0;
    this.#probes = 0;
    this.#failed.clear();
  }

  /**
   * An event failed. Returns how long nothing should be posted, in milliseconds, and whether that counts as an attempt:
   * it does not while the endpoint is down and gave no response, or one that says that it is away.
   */
  failed(id: number, { status, retryAfterMs }: Outcome): { readonly restMs: number; readonly counts: boolean } {
    // While it rests, what fails was posted before it was down.
    if (this.isDown && !this.isResting) this.#probes++;
    this.#failures++;
    if (this.#failed.size < DOWN_AFTER) this.#failed.add(id);
    const probeMs = this.isDown ? Math.min(MAX_PROBE_MS, FIRST_PROBE_MS * 2 ** this.#probes) : 0;
    const restMs = Math.max(probeMs, retryAfterMs);
    if (restMs > 0) this.#notBeforeMs = this.#now() + restMs;
    return { restMs, counts: !this.isDown || (status !== undefined && !AWAY.includes(status)) };
  }
}
