import { expect, test } from "bun:test";
import type { EventMessage } from "../../src/protocol/event.ts";
import { SqliteEventLog } from "../../src/store/event-log.ts";
import { readAll } from "../contract/log-driver.ts";
import { Binary, runBinary } from "../helpers/binary.ts";
import { history, wholeHistory } from "../helpers/http.ts";
import { Load, randomFrom } from "../helpers/load.ts";
import { report, rounds, SEED } from "../helpers/rounds.ts";
import { TempFolder } from "../helpers/temp.ts";
import { type Cheat, startServer } from "./lib/server.ts";

const ROUNDS = rounds(3, 30);
const PUBLISHERS = { single: 3, many: 2, keyed: 2, socket: 2 };
/** Events that are acknowledged before each backup. */
const EVENTS = 500;
const ARGS = ["--db", "a.db", "--max-history", "off"];
/** Time for one round, far beyond what it takes, in milliseconds. */
const ROUND_MS = 30_000;

/** What was restored from a copy. */
interface Restored {
  readonly events: readonly EventMessage[];
  /** How many there were when the copy was begun. */
  readonly least: number;
}

/**
 * Makes backups of one history under publishers, kills the server in the middle of another backup, and restores each
 * copy. Fails the test unless each is sound, begins like the history, and has what there was before it.
 */
async function backUp(times: number, cheat?: Cheat): Promise<{ load: Load; cut: number }> {
  using folder = TempFolder.onDisk();
  const random = randomFrom(SEED);
  const load = new Load(random);
  const restored: Restored[] = [];
  let cut = 0;
  for (let round = 0; round < times; round++) {
    await using server = await startServer({ folder: folder.path, args: ARGS }, cheat);
    load.start(server.url, PUBLISHERS);
    await load.untilAcknowledged(EVENTS);
    const [newest] = await history(server.url, "last=1");
    const copy = `copy-${round}.db`;
    const startMs = performance.now();
    await Bun.write(folder.file(copy), await backup(server.url));
    const wholeMs = performance.now() - startMs;
    const unfinished = backup(server.url).catch(() => undefined);
    await Bun.sleep(random() * wholeMs);
    await server.kill();
    await load.ended();
    if ((await unfinished) === undefined) cut++;
    restored.push({ events: await restore(folder, copy), least: newest?.id ?? 0 });
  }
  await using last = await Binary.start({ folder: folder.path, args: ARGS });
  const events = await wholeHistory(last.url);
  for (const { events: copied, least } of restored) {
    expect(copied.length).toBeGreaterThanOrEqual(least);
    expect(copied).toEqual(events.slice(0, copied.length));
  }
  load.check(events);
  return { load, cut };
}

async function backup(url: string): Promise<ArrayBuffer> {
  const response = await fetch(`${url}/api/backup`);
  expect(response.status).toBe(200);
  return await response.arrayBuffer();
}

/** The events of a history that is restored from the copy. */
async function restore(folder: TempFolder, copy: string): Promise<EventMessage[]> {
  await run(folder, "check", "--db", copy);
  await run(folder, "restore", copy, "--db", `restored-${copy}`);
  const log = new SqliteEventLog(folder.file(`restored-${copy}`));
  try {
    return readAll(log).map(({ json }) => JSON.parse(json));
  } finally {
    await log.close();
  }
}

/** Runs a command that must succeed. */
async function run(folder: TempFolder, ...args: readonly string[]): Promise<void> {
  const { exitCode, stderr } = await runBinary(args, { folder: folder.path });
  expect({ args, exitCode, stderr: exitCode === 0 ? "" : stderr }).toEqual({ args, exitCode: 0, stderr: "" });
}

test(
  `each of ${ROUNDS} backups under load, on a server that is killed again and again, is sound and can be restored`,
  async () => {
    const { load, cut } = await backUp(ROUNDS);
    report("backups under load", { backups: ROUNDS, "cut short": cut, acknowledged: load.acknowledged });
    expect(load.problems).toEqual([]);
  },
  ROUNDS * ROUND_MS + 60_000,
);

test("a backup without the newest events is detected", async () => {
  await expect(backUp(1, "stale")).rejects.toThrow("expect(received)");
}, 120_000);
