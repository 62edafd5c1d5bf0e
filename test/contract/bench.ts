import type { Event } from "../../src/bus/event.ts";
import type { EventLog } from "../../src/bus/ports.ts";
import { FakeClock } from "../helpers/clock.ts";
import { draft } from "./log-driver.ts";

export const MINUTE_MS = 60_000;

/** A log under test, and how to have another look at what it keeps. */
export interface LogUnderTest extends AsyncDisposable {
  readonly log: EventLog;
  /** Closes the log and opens what it has kept; missing when it keeps nothing. */
  reopen?(): Promise<EventLog>;
  /** Opens what would be there if the process had been killed now; missing when it keeps nothing. */
  crash?(): Promise<EventLog>;
  /** Makes the disk full for one of the next writes; the number chooses which. Missing when it cannot. */
  fillDisk?(number: number): void;
}

export type OpenLog = (clock: () => number) => LogUnderTest | Promise<LogUnderTest>;

/** A log of its own for each test, and the clock that it goes by. */
export class Bench {
  readonly #open: OpenLog;
  #under: LogUnderTest | undefined;
  clock = new FakeClock();

  constructor(open: OpenLog) {
    this.#open = open;
  }

  get log(): EventLog {
    if (this.#under === undefined) throw new Error("the log is opened before each test");
    return this.#under.log;
  }

  async setUp(): Promise<void> {
    this.clock = new FakeClock();
    this.#under = await this.#open(this.clock.read);
  }

  async tearDown(): Promise<void> {
    await this.#under?.[Symbol.asyncDispose]();
  }

  /** Five events a minute apart: a.x, b.y, a.x, b.y of another source, a.z. */
  async appendFive(): Promise<Event[]> {
    const events: Event[] = [];
    const plan = [draft("a.x"), draft("b.y"), draft("a.x"), draft("b.y", null, "other"), draft("a.z")];
    for (const one of plan) {
      events.push(...(await this.log.append([one])).events);
      this.clock.advance(MINUTE_MS);
    }
    return events;
  }
}
