import { EventBusError, type Stats } from "../../client/index.ts";
import type { Journal } from "./journal.ts";
import type { Session } from "./session.ts";
import { Store } from "./store.ts";

/** Time between two requests, in milliseconds. */
const POLL_MS = 2000;
/** Wait after the server rejected a request, in milliseconds. */
const REFUSED_POLL_MS = 30_000;
/** An hour. */
const MAX_SAMPLES = 1800;

type Newer = "delivered" | "delivered_per_second" | "gaps" | "replays" | "evictions" | "commits" | "replay" | "waiting";

/** The stats of a server. An older one, behind the same address during an upgrade, has fewer. */
export type FullStats = Omit<Stats, Newer> & Partial<Pick<Stats, Newer>>;

export interface Sample {
  readonly atMs: number;
  readonly stats: FullStats;
}

/** Polls the state of the server every two seconds, and keeps the responses of an hour. */
export class Monitor extends Store {
  readonly #session: Session;
  readonly #journal: Journal;
  #samples: readonly Sample[] = [];
  #error: EventBusError | undefined;
  #wake = () => {};

  constructor(session: Session, journal: Journal) {
    super();
    this.#session = session;
    this.#journal = journal;
    session.onChange(() => this.#wake());
    void this.#poll();
  }

  /** Oldest first. */
  get samples(): readonly Sample[] {
    return this.#samples;
  }

  get latest(): FullStats | undefined {
    return this.#samples.at(-1)?.stats;
  }

  /** The error of the last request. */
  get error(): EventBusError | undefined {
    return this.#error;
  }

  /** The server responds that this token may not read them. */
  get isForbidden(): boolean {
    return this.#error?.status === 403;
  }

  /** There was no response at all. */
  get isUnreachable(): boolean {
    return this.#error !== undefined && this.#error.status === undefined;
  }

  async #poll(): Promise<void> {
    for (;;) {
      await this.#ask();
      this.changed();
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, this.isForbidden || this.#error?.status === 401 ? REFUSED_POLL_MS : POLL_MS);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  async #ask(): Promise<void> {
    try {
      const stats: FullStats = await this.#session.client.stats();
      const before = this.latest;
      if (before !== undefined && stats.uptime_seconds < before.uptime_seconds) {
        this.#journal.add("plain", "The server restarted.");
      }
      this.#samples = [...this.#samples.slice(-MAX_SAMPLES + 1), { atMs: Date.now(), stats }];
      this.#error = undefined;
    } catch (error) {
      if (!(error instanceof EventBusError)) throw error;
      if (error.code === "closed") return;
      this.#error = error;
      this.#session.note(error);
    }
  }
}
