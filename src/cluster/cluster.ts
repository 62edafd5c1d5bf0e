import { hostname } from "node:os";
import type { TokenStore } from "../bus/access/token-record.ts";
import type { MirrorLog } from "../bus/ports.ts";
import { prepareStream } from "./checks.ts";
import { ClusterLog } from "./cluster-log.ts";
import { connectToNats } from "./connection.ts";
import type { ClusterSettings } from "./settings.ts";
import { EntryStream, type Following } from "./stream.ts";

export interface ClusterOptions {
  readonly settings: ClusterSettings;
  /** The history of this node. */
  readonly mirror: MirrorLog;
  /** The tokens in that history. */
  readonly tokens: TokenStore;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  /** How long a change may take, in milliseconds. Only tests change it. */
  readonly budgetMs?: number | undefined;
  /** Whether the bus may be open to all while no token was ever created. Default true. */
  readonly mayBeOpen?: boolean | undefined;
  /** Called with the reason of each attempt to reach NATS that failed. */
  readonly onUnreachable: (reason: string) => void;
  /** Called when it begins or ceases to follow the stream. */
  readonly onState: (following: Following) => void;
}

/** What a node knows of its cluster. */
export interface ClusterStats {
  readonly name: string;
  readonly node: string;
  /** The last entry of the stream that was adopted here. */
  readonly place: number;
  /** Entries that were not adopted yet, as far as is known. */
  readonly behind: number;
  readonly connected: boolean;
}

/** One node of a cluster: its history, and the stream that it follows. */
export class Cluster {
  /** Names this run of this node. */
  readonly node = `${hostname().replaceAll(/[^\w-]/g, "-")}-${crypto.randomUUID().slice(0, 8)}`;
  readonly log: ClusterLog;
  readonly #settings: ClusterSettings;
  readonly #stream: EntryStream;

  /** Begins to follow the stream as soon as NATS can be reached. Ends when the log is closed. */
  constructor({ settings, onUnreachable, onState, ...rest }: ClusterOptions) {
    const { node } = this;
    this.#settings = settings;
    this.#stream = new EntryStream({
      name: settings.name,
      connect: (signal) => connectToNats(settings, { node, onFailure: onUnreachable, signal }),
      prepare: (connection) =>
        prepareStream(connection, { settings, mayCreate: rest.mirror.head === 0 && !rest.mirror.place }),
      onState,
    });
    this.log = new ClusterLog({ ...rest, stream: this.#stream, node });
  }

  stats(): ClusterStats {
    return {
      name: this.#settings.name,
      node: this.node,
      place: this.log.place?.sequence ?? 0,
      behind: this.#stream.behind,
      connected: this.#stream.following.state !== "disconnected",
    };
  }
}
