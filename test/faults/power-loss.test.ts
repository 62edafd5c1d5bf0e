import { expect, test } from "bun:test";
import { checkFile } from "../../src/store/check/check.ts";
import { SqliteEventLog } from "../../src/store/event-log.ts";
import { readAll } from "../contract/log-driver.ts";
import { Binary } from "../helpers/binary.ts";
import { Load, randomFrom } from "../helpers/load.ts";
import { describeWith } from "../helpers/requires.ts";
import { report, rounds, SEED } from "../helpers/rounds.ts";
import { TempFolder } from "../helpers/temp.ts";
import { Disk } from "./lib/disk.ts";
import { FILE, Layer, OPERATION, type Operation } from "./lib/layer.ts";

const POWER_LOSSES = rounds(40, 1000);
const EVENTS = 8000;
const PUBLISHERS = { single: 3, many: 2, keyed: 2, socket: 2 };
const FRAME_HEADER_BYTES = 24;
/** Time for one power failure, far beyond what it takes, in milliseconds. */
const ROUND_MS = 2000;

/** Runs a server through the layer until it has acknowledged some thousand events; returns what it did. */
async function recordRun(compiler: string, args: readonly string[]): Promise<Operation[]> {
  using layer = new Layer(compiler);
  await using binary = await Binary.start({
    folder: layer.folder,
    args: ["--db", layer.history, ...args],
    env: layer.env({ isRecorded: true }),
  });
  const load = new Load(randomFrom(SEED));
  load.start(binary.url, PUBLISHERS);
  await load.untilAcknowledged(EVENTS);
  await binary.kill();
  await load.ended();
  return layer.operations();
}

/** What a server has promised: the data of each event that it has sent to anyone, by id; empty if only the id was. */
class Promises {
  readonly #data = new Map<number, string>();

  read({ data }: Operation): void {
    const text = data.toString();
    for (const [, id, json = ""] of text.matchAll(/"id":(\d+),"topic":"[^"]*","data":("[^"]*")/g)) {
      this.#data.set(Number(id), json);
    }
    for (const [, first, last] of text.matchAll(/"first_id":(\d+),"last_id":(\d+)/g)) {
      for (let id = Number(first); id <= Number(last); id++) if (!this.#data.has(id)) this.#data.set(id, "");
    }
  }

  /** The ids, from the floor on, for which a history lacks what was promised. */
  brokenBy(log: SqliteEventLog): number[] {
    const kept = new Map(readAll(log).map(({ id, json }) => [id, json]));
    const isKept = (id: number, data: string) => kept.get(id)?.includes(`"data":${data}`) ?? false;
    return [...this.#data].filter(([id, data]) => id >= log.floor && !isKept(id, data)).map(([id]) => id);
  }
}

/** Returns what was wrong after each of this many power failures at random moments of the run. */
async function faultsOf(operations: readonly Operation[], losses: number): Promise<string[]> {
  const random = randomFrom(SEED);
  const moments = Array.from({ length: losses }, () => Math.floor(random() * operations.length)).sort((a, b) => a - b);
  using folder = TempFolder.onDisk();
  const [disk, promises] = [new Disk(), new Promises()];
  const faults: string[] = [];
  let done = 0;
  for (const moment of moments) {
    for (; done < moment; done++) {
      const operation = operations[done];
      if (operation?.operation === OPERATION.send) promises.read(operation);
      else if (operation) disk.take(operation);
    }
    disk.leave(folder.file(), random);
    faults.push(...(await faultsAfter(folder.file(), promises)).map((fault) => `after operation ${moment}: ${fault}`));
  }
  return faults;
}

async function faultsAfter(path: string, promises: Promises): Promise<string[]> {
  const faults: string[] = [];
  try {
    const log = new SqliteEventLog(path, { durability: "fsync", onDamage: (detail) => void faults.push(detail) });
    const broken = promises.brokenBy(log);
    if (broken.length > 0) faults.push(`${broken.length} acknowledged events are missing, such as ${broken[0]}`);
    await log.close();
    if (log.head > 0) await checkFile(path, { onDamage: (detail) => void faults.push(detail) });
  } catch (error) {
    faults.push(String(error) + (error instanceof Error && error.cause ? ` (${String(error.cause)})` : ""));
  }
  return faults;
}

/**
 * The most commits that were in the write-ahead log before an fsync. With one, a power failure can tear only the last
 * commit; if others are torn, the log is damaged.
 */
function mostUnsyncedCommits(operations: readonly Operation[]): number {
  let [most, unsynced] = [0, 0];
  for (const { operation, file, data } of operations) {
    if (file !== FILE.wal) continue;
    if (operation === OPERATION.sync) unsynced = 0;
    else if (operation === OPERATION.write && endsCommit(data)) most = Math.max(most, ++unsynced);
  }
  return most;
}

/** SQLite writes the header of a frame by itself. That of a commit's last frame has the size of the database. */
function endsCommit(data: Buffer): boolean {
  return data.length === FRAME_HEADER_BYTES && data.readUInt32BE(4) !== 0;
}

describeWith("gcc", "a power failure", (compiler) => {
  for (const [what, args] of [
    ["", ["--max-history", "off"]],
    [" while events are pruned", ["--max-history", "200", "--prune-interval", "100ms"]],
  ] as const) {
    test(
      `loses nothing that was acknowledged, whichever of the unsynced writes have arrived${what}`,
      async () => {
        const operations = await recordRun(compiler, args);
        expect(mostUnsyncedCommits(operations)).toBe(1);
        expect(await faultsOf(operations, POWER_LOSSES)).toEqual([]);
        report(`power loss${what}`, { "power failures": POWER_LOSSES, "system calls": operations.length });
      },
      ROUND_MS * POWER_LOSSES + 60_000,
    );
  }

  test("is survived because of the fsync: without it, events are lost", async () => {
    const operations = await recordRun(compiler, ["--max-history", "off", "--durability", "os"]);
    expect(await faultsOf(operations, 30)).not.toEqual([]);
  });
});
