import { Meter } from "../bus/meter.ts";
import type { Health, LogFigures } from "../bus/ports.ts";
import { Adopter } from "./adopter.ts";
import { AppendQueue } from "./append-queue.ts";
import { Committer } from "./committer.ts";
import { ConsumerTable } from "./consumers/consumer-table.ts";
import { type ContentsInternals, readContents } from "./contents.ts";
import { DirectWrites } from "./direct-writes.ts";
import { Checkpoints } from "./disk/checkpoints.ts";
import { Reserve } from "./disk/reserve.ts";
import { freeBytes, isOutOfRoom } from "./disk/room.ts";
import { Space } from "./disk/space.ts";
import { WriteHealth } from "./disk/write-health.ts";
import { Damage } from "./file/damage.ts";
import { Meta } from "./file/meta.ts";
import type { OpenFile } from "./file/sqlite.ts";
import { Transactor } from "./file/transactor.ts";
import { DEFAULT_MAX_KEYS, IdempotencyKeys } from "./keys/idempotency.ts";
import { TokenTable } from "./keys/tokens.ts";
import { Pruner } from "./retention.ts";
import { Upkeep } from "./upkeep.ts";

export interface OpenHistoryOptions {
  /** Whether its changes come from a stream, by `adopt`. Default false: it is the history of a single node. */
  isMirror?: boolean;
  /** Milliseconds since 1970; default the system's clock. */
  clock?: () => number;
  /** The time by which the age of idempotency keys is measured, in milliseconds since 1970; default `clock`. */
  ageClock?: () => number;
  /** Maximum number of idempotency keys that are remembered; default 1,000,000. */
  maxKeys?: number;
  /** Called once for each damage that is found. */
  onDamage?: (detail: string) => void;
  /**
   * Called when the file is no longer where a restart will look for it, or cannot be written; with undefined when that
   * is over.
   */
  onAlarm?: (detail: string | undefined) => void;
  /** Whether to keep some space on the disk, in a file beside the history, for pruning when it is full; default false. */
  keepsReserve?: boolean;
  /** Called once when a write failed and its outcome is unknown; every later append is rejected. */
  onFailure?: (error: unknown) => void;
  /**
   * Called, while the file is opened, with what may be no damage: omitted commits, a replaced file, or that it has left
   * its cluster.
   */
  onWarning?: (detail: string) => void;
  /** Called when idempotency keys were forgotten because there are more than `maxKeys`. */
  onKeysForgotten?: (count: number) => void;
  /** Called once when data other than events takes more than the `maxBytes` of the retention. */
  onFull?: (detail: string) => void;
  /** Counts commits and prunes; default: a meter of its own. */
  meter?: Meter;
}

/** What the history needs of its file. */
export type OpenedFile = Pick<OpenFile, "database" | "place" | "walBytes"> & {
  /** Where it is. */
  readonly path: string;
};

/** The history in an open file: what is in it, and the parts that change it. Nothing runs by itself until `start`. */
export function openHistory(file: OpenedFile, options: OpenHistoryOptions, internals: ContentsInternals) {
  const parts = openParts(file, options, internals);
  const { adopter, damage, health, keys, queue, upkeep, writes } = parts;
  if (adopter.place !== undefined && options.isMirror !== true) {
    adopter.leave();
    options.onWarning?.(leftCluster(file.path));
  }
  return {
    ...parts,
    figures: figuresOf(parts, file.walBytes),
    start: () => {
      upkeep.start(internals.onVerified);
      adopter.resume();
    },
    health: (): Health => {
      upkeep.look();
      if (health.current.state === "full") writes.probe();
      if (health.current.state !== "ok" || !damage.isFound) return health.current;
      return { state: "damaged", detail: `${damage.summary}: run "eventbus check"` };
    },
    /** Commits what was accepted, and ends all other work. */
    stop: async () => {
      writes.stop();
      const ended = upkeep.stop();
      // Accepted appends may still be waiting for the keys.
      if (!keys.isLoaded) await keys.load();
      queue.drain();
      await ended;
      writes.saveHead();
    },
  };
}

export type OpenHistory = ReturnType<typeof openHistory>;

function openParts(file: OpenedFile, options: OpenHistoryOptions, internals: ContentsInternals) {
  const { database, path, place, walBytes } = file;
  const { clock = Date.now, ageClock = clock, maxKeys = DEFAULT_MAX_KEYS, meter = new Meter() } = options;
  const { onDamage = ignore, onFailure = ignore, onAlarm = ignore } = options;
  const { isMirror: isExact = false, onKeysForgotten: onForgotten = ignore, onFull = ignore } = options;
  const damage = new Damage(onDamage);
  const contents = readContents(database, damage, internals);
  const checkpoints = new Checkpoints(database, walBytes);
  const shared = {
    ...contents,
    path,
    database,
    damage,
    health: new WriteHealth({
      damage,
      isOutOfRoom: () => isOutOfRoom(path),
      freeBytes: () => (place === undefined ? Number.POSITIVE_INFINITY : freeBytes(path)),
      onFailure,
      onAlarm,
    }),
    checkpoints,
    space: new Space(database, checkpoints),
    meta: new Meta(database),
    transactor: new Transactor(database),
    keys: new IdempotencyKeys({ database, damage, maxKeys, isExact, onForgotten }),
    meter,
  };
  const writes = new DirectWrites({ ...shared, savedHead: contents.stored.head });
  const write = (work: () => void) => writes.run(work);
  const { consumers: expected, consumer_lease: leaseRevision } = contents.stored;
  const consumers = new ConsumerTable({ ...shared, write, expected, leaseRevision });
  const committer = new Committer({ ...shared, consumers, clock, ageClock });
  const pruner = new Pruner({ ...shared, onFull });
  const reserve = options.keepsReserve === true && place !== undefined ? new Reserve(path) : undefined;
  const upkeep = new Upkeep({ ...shared, pruner, place, reserve });
  const tokens = new TokenTable({ ...shared, write, expected: contents.stored.tokens });
  return {
    ...shared,
    committer,
    queue: new AppendQueue((group) => committer.commit(group)),
    pruner,
    writes,
    upkeep,
    tokens,
    consumers,
    adopter: new Adopter({ ...shared, committer, tokens, consumers, upkeep, writes }),
  };
}

function figuresOf({ queue, keys }: ReturnType<typeof openParts>, walBytes: () => number): LogFigures {
  return {
    get queueDepth() {
      return queue.depth;
    },
    get walBytes() {
      return walBytes();
    },
    get keysForgotten() {
      return keys.forgotten;
    },
  };
}

function leftCluster(path: string): string {
  return (
    `${path} was the history of a node of a cluster. From now on it is that of a single node, and the cluster does not ` +
    "accept it any more"
  );
}

function ignore(): void {}
