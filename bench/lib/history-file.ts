import { existsSync } from "node:fs";
import { copyFile, mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { HttpConnection } from "../load/http-connection.ts";
import { historyRequest } from "../load/requests.ts";
import type { Context } from "./bench.ts";
import { settle } from "./disk.ts";
import { SMALL_EVENT } from "./load.ts";
import { using } from "./rounds.ts";
import { Server } from "./server.ts";

const LINES = 5000;
/** Sources in a prepared history, so that `source` is a filter that leaves something. */
export const SOURCES = 10;

const LARGE = 10_000_000;
const QUICK_LARGE = 300_000;

/** Events of the largest history, which shows what grows with it. */
export function largeHistoryEvents({ isQuick }: Context): number {
  return isQuick ? QUICK_LARGE : LARGE;
}

/** How the events of a history are spread: over topics, each of which occurs if there are events enough, and sources. */
export interface Spread {
  readonly topics: number;
  readonly sources: number;
}

const USUAL: Spread = { topics: SMALL_EVENT.topics, sources: SOURCES };

/** A folder for histories that the sources as they are now write; those of other sources are removed. */
export async function historyFolder(root: string): Promise<string> {
  const all = join(root, "histories");
  const name = await storeHash();
  await mkdir(join(all, name), { recursive: true });
  for (const other of await readdir(all)) if (other !== name) await rm(join(all, other), { recursive: true });
  return join(all, name);
}

/**
 * A history of this many events, written by the program itself and kept for later. Topics and sources are drawn at
 * random: 1,000 and 10, unless `spread` says otherwise.
 */
export async function preparedHistory(context: Context, events: number, spread = USUAL): Promise<string> {
  const name = `${events}-${spread.topics}-${spread.sources}.db`;
  const file = join(context.histories, name);
  if (existsSync(file)) return file;
  const unfinished = join(context.folder, `history-${name}`);
  const flags = ["--db", unfinished, "--durability", "os"];
  await using(Server.eventbus(context, flags), (server) => fill(context, server, events, spread));
  await rename(unfinished, file);
  return file;
}

/** Does the work with a writable copy, which is on the disk before the work begins and is removed afterwards. */
export async function usingCopy<T>(
  context: Context,
  events: number,
  work: (file: string) => Promise<T>,
  spread = USUAL,
): Promise<T> {
  const file = join(context.folder, `copy-${Bun.randomUUIDv7()}.db`);
  await copyFile(await preparedHistory(context, events, spread), file);
  Bun.spawnSync(["sync", file]);
  await settle(context.folder);
  try {
    return await work(file);
  } finally {
    for (const suffix of ["", "-wal", "-shm", "-reserve"]) await rm(file + suffix, { force: true });
  }
}

/** Publishes this many events to a server: to each of the topics, and then to any. */
export async function fill(
  context: Context,
  server: Server,
  events: number,
  spread: Spread,
  tokens: readonly string[] = [],
): Promise<void> {
  const body = { ...SMALL_EVENT, ...spread, events: LINES, tokens };
  const connection = await HttpConnection.open(server.port);
  let next = historyRequest(body, 0);
  for (let written = 0; written < events; written += LINES) {
    const answered = connection.ask(next);
    // Made while the server writes the one before.
    next = historyRequest(body, written + LINES);
    await answered;
    if (written % 100_000 === 0) {
      context.progress.step(`preparing a history, ${Math.round((written / events) * 100)} % of ${events} events`);
    }
  }
  connection.close();
}

/** Changes whenever the code does that wrote the histories. */
async function storeHash(): Promise<string> {
  const root = join(import.meta.dir, "../../src");
  const files = [...new Bun.Glob("store/**").scanSync(root), "bus/event.ts"].sort();
  const hasher = new Bun.CryptoHasher("sha256");
  for (const file of [...files.map((name) => join(root, name)), import.meta.path]) {
    hasher.update(await Bun.file(file).bytes());
  }
  return hasher.digest("hex").slice(0, 12);
}
