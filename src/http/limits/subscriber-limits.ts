import { BusError } from "../../bus/errors.ts";
import type { OnLimit } from "./limits.ts";
import type { PublishRates } from "./publish-rates.ts";
import type { SpareTime } from "./spare-time.ts";
import type { Waiting } from "./waiting.ts";

/** How long a subscriber may read none of its waiting output before it is disconnected, in milliseconds. */
export const STALL_MS = 60_000;

/** Limits that all network subscribers share. */
export interface SubscriberLimits {
  readonly slots: SubscriberSlots;
  readonly spareTime: SpareTime;
  /** All waiting output, under one bound. */
  readonly waiting: Waiting;
  /** Patterns of one subscriber. */
  readonly maxPatterns: number;
  /** How long a subscriber may read none of its waiting output, in milliseconds; then it is disconnected. */
  readonly stallMs: number;
  /**
   * How often a WebSocket is pinged, in milliseconds; default 30 s. One that is silent for twice this time is
   * disconnected.
   */
  readonly pingMs?: number;
  /** Counts the events that a WebSocket publishes. Default: none. */
  readonly rates?: PublishRates | undefined;
  readonly onLimit?: OnLimit | undefined;
  /** Called with each pattern that a subscriber subscribes to. */
  readonly onPattern?: ((pattern: string) => void) | undefined;
}

/** The number of concurrent subscribers, over all transports. */
export class SubscriberSlots {
  readonly #limit: number;
  #taken = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Throws `too_many_connections` if all are taken. */
  take(): void {
    if (this.#taken >= this.#limit) {
      throw new BusError(
        "too_many_connections",
        `the server accepts at most ${this.#limit} subscribers: try again later`,
        { members: { limit: this.#limit } },
      );
    }
    this.#taken++;
  }

  free(): void {
    this.#taken--;
  }
}

export function tooManyPatterns(limit: number): BusError {
  return new BusError("parameter_invalid", `at most ${limit} patterns may be given`, {
    members: { parameter: "pattern", limit },
  });
}
