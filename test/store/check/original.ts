import { Database } from "bun:sqlite";
import { BusError } from "../../../src/bus/errors.ts";
import type { Event } from "../../../src/bus/event.ts";
import type { Draft, EventLog, Filter, Page, TopicMatcher } from "../../../src/bus/ports.ts";
import type { TopicSummary } from "../../../src/protocol/event.ts";
import { checkFile } from "../../../src/store/check/check.ts";
import { SqliteEventLog } from "../../../src/store/event-log.ts";
import { Meta } from "../../../src/store/file/meta.ts";
import { draft, drafts, idsOf, range, readAll, startingWith, topicsOf, walk } from "../../contract/log-driver.ts";
import { FakeClock } from "../../helpers/clock.ts";
import { fillSmallTables } from "../small-tables.ts";

const FIRST = 21;
const LAST = 300;
const KEY = "k140";

/** Events up to which ends were stored before the history was closed, as after a kill. */
const ENDS_TO = 288;

/** Every way to ask, so that no index can lose an event quietly. */
const filters: readonly Filter[] = [
  {},
  { topics: startingWith("orders") },
  { topics: startingWith("rare") },
  { topics: only("users.4") },
  { topics: endingWith(".1") },
  { source: "other" },
  { topics: startingWith("orders"), source: "other" },
  { fromMs: new FakeClock().nowMs + 100_000, toMs: new FakeClock().nowMs + 200_000 },
];

/** What a damaged file did to its readers. */
export interface Outcome {
  readonly isRefused: boolean;
  /** Some event was not served. */
  readonly isMissing: boolean;
  /** The key was not known any more. */
  readonly isKeyLost: boolean;
  /** What must not happen: events that were missing and not reported, or not what was published; ids given again; wrong counts. */
  readonly faults: readonly string[];
}

/** A history with all that a file can hold, and what it served before it was damaged. */
export class Original {
  readonly #events: ReadonlyMap<number, Event>;
  /** What each filter finds. */
  readonly #expected: readonly (readonly number[])[];
  readonly #topics: readonly TopicSummary[];
  readonly #repeated: readonly Draft[];

  /** Makes it: stored ends and later events, a floor, keys, a token, consumers, large events. */
  static async make(path: string): Promise<Original> {
    const clock = new FakeClock();
    const log = new SqliteEventLog(path, { clock: clock.read, durability: "os" }, { endsInterval: 32 });
    let repeated: readonly Draft[] = [];
    for (const id of range(1, LAST)) {
      clock.advance(1000);
      const one = [draftOf(id)];
      await log.append(one, id % 20 === 0 ? { idempotencyKey: `k${id}` } : {});
      if (`k${id}` === KEY) repeated = one;
    }
    fillSmallTables(log);
    await log.prune({ maxHistory: LAST - FIRST + 1 }, clock.nowMs);
    const original = new Original(log, repeated);
    await log.close();
    forgetLastEnds(path);
    return original;
  }

  private constructor(log: EventLog, repeated: readonly Draft[]) {
    this.#events = new Map(readAll(log).map((event) => [event.id, event]));
    this.#expected = filters.map((filter) => [...walk((from) => log.read(filter, from, 1000), 0)].flatMap(idsOfPage));
    this.#topics = topicsOf(log);
    this.#repeated = repeated;
  }

  /** Asks a damaged copy everything, and publishes to it. `cachedSeries`: how many series are kept in memory. */
  async outcomeOf(path: string, cachedSeries?: number): Promise<Outcome> {
    return await this.#withLog(path, cachedSeries, async (log) => {
      const asked = this.#askAll(log);
      const areTopicsWrong = log.health().state === "ok" && !Bun.deepEquals(topicsOf(log), this.#topics);
      const appended = await resultOf(() => log.append([draft("orders.0")]));
      const replay = await resultOf(() => log.append(this.#repeated, { idempotencyKey: KEY }));
      return {
        ...asked,
        isKeyLost: replay?.replayed === false,
        faults: [
          ...asked.faults,
          ...(areTopicsWrong ? ["the topics are wrong"] : []),
          ...(appended?.events.filter(({ id }) => id <= LAST).map(({ id }) => `id ${id} was given again`) ?? []),
        ],
      };
    });
  }

  /** The same after more was published, and most of what was there pruned. */
  async laterOutcomeOf(path: string, cachedSeries?: number): Promise<Outcome> {
    return await this.#withLog(path, cachedSeries, async (log) => {
      for (const topic of ["orders.1", "rare.one", "new"]) await resultOf(() => log.append(drafts(20, topic)));
      await resultOf(() => log.prune({ maxHistory: LAST - 5 * FIRST }, new FakeClock().nowMs));
      return { ...this.#askAll(log), isKeyLost: false };
    });
  }

  async #withLog(
    path: string,
    cachedSeries: number | undefined,
    work: (log: SqliteEventLog) => Promise<Omit<Outcome, "isRefused">>,
  ): Promise<Outcome> {
    let log: SqliteEventLog;
    const verified = Promise.withResolvers<void>();
    try {
      const internals = {
        endsInterval: 32,
        onVerified: verified.resolve,
        ...(cachedSeries === undefined ? {} : { cachedSeries }),
      };
      log = new SqliteEventLog(path, { durability: "os", clock: new FakeClock().read }, internals);
      await verified.promise;
    } catch (error) {
      if (!(error instanceof BusError)) throw error;
      return { isRefused: true, isMissing: true, isKeyLost: false, faults: [] };
    }
    try {
      return { isRefused: false, ...(await work(log)) };
    } finally {
      await log.close();
    }
  }

  #askAll(log: EventLog): Pick<Outcome, "isMissing" | "faults"> {
    const asked = filters.map((filter, index) => this.#ask(log, filter, this.#expected[index] ?? []));
    return { isMissing: asked.some(({ isMissing }) => isMissing), faults: asked.flatMap(({ faults }) => faults) };
  }

  #ask(log: EventLog, filter: Filter, ids: readonly number[]): Pick<Outcome, "isMissing" | "faults"> {
    const kept = ids.filter((id) => id >= log.floor);
    const answers = [read(log, filter, "read"), read(log, filter, "readBack")];
    const wrong = answers
      .flatMap(({ events }) => events)
      .filter(({ id, json }) => id <= LAST && json !== this.#events.get(id)?.json);
    const missing = answers.flatMap(({ events, reported }) => {
      const served = new Set(idsOf(events));
      return kept
        .filter((id) => !served.has(id))
        .map((id) => ({ id, isSilent: reported !== "all" && !reported.has(id) }));
    });
    const silent = missing.filter(({ isSilent }) => isSilent);
    return {
      isMissing: missing.length > 0,
      faults: [
        ...wrong.map(({ json }) => `wrong: ${json}`),
        ...silent.map(({ id }) => `event ${id} is missing by ${JSON.stringify(filter)}`),
      ],
    };
  }
}

/** What the check names; the error when there is nothing that it can look at. */
export async function findingsOf(path: string): Promise<string[]> {
  const found: string[] = [];
  try {
    await checkFile(path, { onDamage: (detail) => void found.push(detail) });
  } catch (error) {
    if (!(error instanceof BusError)) throw error;
    found.push(error.message);
  }
  return found;
}

function draftOf(id: number): Draft {
  const data = id % 50 === 0 ? "large ".repeat(2000) : { id, note: "as sent" };
  const topic = id % 40 === 3 ? "rare.one" : `${id % 3 === 0 ? "orders" : "users"}.${id % 5}`;
  return draft(topic, data, id % 7 === 0 ? "other" : "");
}

function only(topic: string): TopicMatcher {
  return { matches: (one) => one === topic, ranges: [{ prefix: topic, isWhole: true }] };
}

function endingWith(suffix: string): TopicMatcher {
  return { matches: (topic) => topic.endsWith(suffix), ranges: [{ prefix: "", isWhole: false }] };
}

function idsOfPage({ events }: Page): number[] {
  return idsOf(events);
}

/** What was served, and which events were reported as damaged: all of them when there was an error instead of an answer. */
function read(
  log: EventLog,
  filter: Filter,
  method: "read" | "readBack",
): { events: Event[]; reported: Set<number> | "all" } {
  try {
    const pages = [...walk((from) => log[method](filter, from, 100), method === "read" ? 0 : log.head + 1)];
    return {
      events: pages.flatMap(({ events }) => events),
      reported: new Set(pages.flatMap(({ damaged }) => damaged)),
    };
  } catch (error) {
    if (error instanceof BusError) return { events: [], reported: "all" };
    throw error;
  }
}

/** What the call returns; undefined when it fails as it should. */
async function resultOf<T>(call: () => Promise<T>): Promise<T | undefined> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof BusError) return undefined;
    throw error;
  }
}

/** Opening reads the heads of the events after that again, so damage to them shows there, too. */
function forgetLastEnds(path: string): void {
  const database = new Database(path);
  new Meta(database).set("ends_to", ENDS_TO);
  database.close(true);
}
