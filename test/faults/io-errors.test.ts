import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import type { EventMessage } from "../../src/protocol/event.ts";
import { Binary } from "../helpers/binary.ts";
import { wholeHistory } from "../helpers/http.ts";
import { Load, randomFrom } from "../helpers/load.ts";
import { RawSubscriber } from "../helpers/raw-web-socket.ts";
import { describeWith } from "../helpers/requires.ts";
import { IS_LONG, report, SEED } from "../helpers/rounds.ts";
import { ERRNO, type Fault, FILE, Layer, OPERATION } from "./lib/layer.ts";
import { type Cheat, startServer } from "./lib/server.ts";

const PUBLISHERS = { single: 3, many: 2, keyed: 2, socket: 2 };
/** Events that are acknowledged before the calls fail, and after they succeed again. */
const EVENTS = 300;
/** How long the calls fail, in milliseconds. */
const FAILING_MS = 400;
/** How long it may take until a fault that lasts is noticed, in milliseconds. Not a promise. */
const NOTICED_MS = 20_000;
/** How long it may take until events are accepted again, in milliseconds. Not a promise. */
const RECOVERY_MS = 20_000;
/** How many of the faults a short run tries. */
const SHORT_FAULTS = 12;

const ERRORS = { EIO: ERRNO.EIO, ENOSPC: ERRNO.ENOSPC, EDQUOT: ERRNO.EDQUOT, "short writes": 0 };
const TIMES = { once: 1, "in a burst": 7, "for ever": -1 };

interface NamedFault {
  readonly name: string;
  readonly fault: Fault;
}

const every: NamedFault[] = [
  ...faultsOf("write", ERRORS),
  ...faultsOf("sync", { EIO: ERRNO.EIO, ENOSPC: ERRNO.ENOSPC }),
];
every.push(...faultsOf("truncate", { EIO: ERRNO.EIO }));

function faultsOf(call: "write" | "sync" | "truncate", errors: Readonly<Record<string, number>>): NamedFault[] {
  return (["main", "wal"] as const).flatMap((file) =>
    Object.entries(errors).flatMap(([error, number]) =>
      Object.entries(TIMES).map(([times, count]) => ({
        name: `${call} of the ${file} file: ${error}, ${times}`,
        fault: { calls: OPERATION[call], files: FILE[file] | quotaFiles(number), error: number, times: count },
      })),
    ),
  );
}

/** A quota applies to all files of a user. */
function quotaFiles(error: number): number {
  return error === ERRNO.EDQUOT ? FILE.probe : 0;
}

/** What a server did while calls failed. */
interface Outcome {
  readonly failed: number;
  readonly readiness: readonly number[];
  /** Whether it accepted events when the calls succeeded again. */
  readonly hasRecovered: boolean;
  readonly problems: readonly string[];
}

/**
 * Publishes while calls fail, and after that; then looks at what a restart finds. Fails the test unless every
 * acknowledged event is there, everything that was delivered, and nothing that was refused.
 */
async function survive(compiler: string, { fault }: NamedFault, cheat?: Cheat): Promise<Outcome> {
  using layer = new Layer(compiler);
  const args = ["--db", layer.history, "--max-history", "off", "--prune-interval", "100ms"];
  const load = new Load(randomFrom(SEED));
  const readiness: number[] = [];
  let hasRecovered = false;
  const delivered: EventMessage[] = [];
  {
    await using server = await startServer({ folder: layer.folder, args, env: layer.env() }, cheat);
    const isGone = server.exited.then(() => true);
    const reading = readAll(server.url, delivered);
    load.start(server.url, PUBLISHERS);
    await load.untilAcknowledged(EVENTS);
    layer.fail(fault);
    const startMs = performance.now();
    const isOver = () =>
      performance.now() - startMs > (lasts(fault) && readiness.at(-1) === 200 ? NOTICED_MS : FAILING_MS);
    while (!isOver()) {
      await Bun.sleep(20);
      readiness.push(await readyStatus(server.url));
    }
    layer.heal();
    const before = load.acknowledged;
    await Promise.race([load.untilAcknowledged(EVENTS), isGone, Bun.sleep(RECOVERY_MS)]);
    hasRecovered = load.acknowledged > before;
    await server.kill();
    await load.ended();
    await reading;
  }
  await using restarted = await Binary.start({ folder: layer.folder, args });
  const events = await wholeHistory(restarted.url);
  load.check(events);
  const kept = new Map(events.map(({ id, data }) => [id, data]));
  expect(delivered.filter(({ id, data }) => kept.get(id) !== data)).toEqual([]);
  return { failed: layer.failed, readiness, hasRecovered, problems: [...new Set(load.problems)] };
}

/** Whether nothing can be written while the fault lasts. SQLite retries short writes, and can do without truncating. */
function lasts({ calls, error, times }: Fault): boolean {
  return times === -1 && error !== 0 && calls !== OPERATION.truncate;
}

/** Whether there is no room for a write of the log: it is rolled back, and tried again with the next publish. */
function isFull({ calls, files, error, times }: Fault): boolean {
  const isWrite = calls === OPERATION.write && (files & FILE.wal) !== 0;
  return isWrite && (error === ERRNO.ENOSPC || (error === ERRNO.EDQUOT && times !== 1));
}

/** Reads everything that is delivered until the server is gone. */
async function readAll(url: string, delivered: EventMessage[]): Promise<void> {
  using subscriber = await RawSubscriber.open(url);
  try {
    for (;;) delivered.push(JSON.parse(await subscriber.next()));
  } catch {
    // The server is gone.
  }
}

/** The status of /readyz; 0 when the server is gone. */
async function readyStatus(url: string): Promise<number> {
  return fetch(`${url}/readyz`).then(
    ({ status }) => status,
    () => 0,
  );
}

/** All faults; in a short run some of them, chosen by the seed. */
function chosen(): NamedFault[] {
  if (IS_LONG) return every;
  const random = randomFrom(SEED);
  const shuffled = every.map((fault) => ({ fault, at: random() })).sort((a, b) => a.at - b.at);
  return shuffled.slice(0, SHORT_FAULTS).map(({ fault }) => fault);
}

describeWith("gcc", "calls of the operating system that fail", (compiler) => {
  for (const named of chosen()) {
    test(`lose nothing that was acknowledged, keep nothing that was refused: ${named.name}`, async () => {
      const { failed, readiness, hasRecovered, problems } = await survive(compiler, named);
      report(named.name, { failed, "kinds of problems": problems.join("+") || "no" });
      expect(problems.filter((code) => !["storage_full", "unavailable", "shutting_down"].includes(code))).toEqual([]);
      if (lasts(named.fault)) expect(readiness.at(-1)).not.toBe(200);
      if (isFull(named.fault))
        expect({ hasRecovered, problems }).toEqual({ hasRecovered: true, problems: ["storage_full"] });
    });
  }

  test("are noticed: a server that answers although its commit failed loses events", async () => {
    const named = { name: "", fault: { calls: OPERATION.write, files: FILE.wal, error: ERRNO.ENOSPC, times: 7 } };
    const error: unknown = await survive(compiler, named, "deaf").then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(String(error)).toContain("expect(received)");
  });

  test("keep a server from starting when its files cannot be opened, and leave the files as they are", async () => {
    using layer = new Layer(compiler);
    const args = ["--db", layer.history];
    await (await Binary.start({ folder: layer.folder, args })).stop();
    layer.fail({ calls: OPERATION.open, files: FILE.main | FILE.wal, error: ERRNO.EIO });
    const error: unknown = await Binary.start({ folder: layer.folder, args, env: layer.env() }).catch(String);
    expect(error).toMatch(/history\.db cannot be opened/);
    layer.heal();
    expect(existsSync(layer.history)).toBe(true);
    await using again = await Binary.start({ folder: layer.folder, args });
    expect(await readyStatus(again.url)).toBe(200);
  });
});
