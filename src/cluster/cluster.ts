import { hostname } from "node:os";
import type { NatsConnection } from "@nats-io/transport-node";
import type { ConsumerMirror } from "../bus/consumers/ports.ts";
import { Histogram, SECONDS } from "../bus/meter.ts";
import { payloadWarning, prepareStream } from "./checks.ts";
import { ClusterLog, type ClusterLogOptions, NeedsCopy } from "./cluster-log.ts";
import { connectToNats } from "./connection.ts";
import { SharedConsumers } from "./consumers/shared-consumers.ts";
import { Copies, type CopiesOptions, fetchCopy } from "./copies.ts";
import { type Peer, Peers } from "./peers.ts";
import type { ClusterSettings } from "./settings.ts";
import { EntryStream, type Following } from "./stream.ts";
import { type Fetch, SyncCheck } from "./sync-check.ts";

/** Time between two attempts to get a copy from another node, in milliseconds. */
const FETCH_PAUSE_MS = 2000;

export interface ClusterOptions extends Omit<ClusterLogOptions, "stream" | "node" | "onStored" | "onAdopted"> {
  readonly settings: ClusterSettings;
  /** The consumers of the mirror. */
  readonly consumers: ConsumerMirror;
  /** Whether an acknowledgement promises that the event is on disk. */
  readonly mustSync: boolean;
  /** The largest body that the server takes, in bytes. */
  readonly largestBodyBytes: number;
  /** For the monitoring ports of NATS. */
  readonly fetch: Fetch;
  /** Called once for each thing that is wrong but prevents nothing. */
  readonly onWarning: (detail: string) => void;
  /** Makes a copy of the mirror, for other nodes. */
  readonly makeCopy: CopiesOptions["makeCopy"];
  /** Where the copy of another node's history is written, when this one cannot follow the stream any more. */
  readonly copyPath: string;
  /** Called once, when such a copy is there to replace the history. The cluster does nothing after that. */
  readonly onCopy: (from: string) => void;
  /** Called with the reason of each attempt to get a copy that failed. */
  readonly onNoCopy: (reason: string) => void;
  /** Called with the reason of each attempt to reach NATS that failed. */
  readonly onUnreachable: (reason: string) => void;
  /** Called when it starts or stops following the stream. */
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
  /** Entries of this node that the stream has taken, since the start. */
  readonly acknowledged: number;
  /** How often the connection to NATS was lost and re-established. */
  readonly reconnects: number;
  /** The node that serves the consumers; `null` if none does. */
  readonly consumers: string | null;
  /** The nodes that were heard lately, and this one. */
  readonly nodes: readonly Peer[];
}

/** One node of a cluster: its history, the stream that it follows, and the other nodes. */
export class Cluster {
  /** Names this run of this node. */
  readonly node = `${hostname().replaceAll(/[^\w-]/g, "-")}-${crypto.randomUUID().slice(0, 8)}`;
  readonly log: ClusterLog;
  /** The consumers of all nodes. */
  readonly consumers: SharedConsumers;
  readonly #settings: ClusterSettings;
  readonly #largestBodyBytes: number;
  readonly #copyPath: string;
  readonly #onWarning: (detail: string) => void;
  readonly #onCopy: (from: string) => void;
  readonly #onNoCopy: (reason: string) => void;
  readonly #onState: (following: Following) => void;
  readonly #stream: EntryStream;
  readonly #peers: Peers;
  readonly #copies: Copies;
  readonly #stopping = new AbortController();
  /** Time until the stream has taken an entry, in seconds. */
  readonly ackSeconds = new Histogram(SECONDS);
  #acknowledged = 0;
  #reconnects = 0;
  #connection: NatsConnection | undefined;
  #isFetching = false;
  readonly #warned = new Set<string>();

  /** Begins to follow the stream as soon as NATS can be reached. Ends when the log is closed. */
  constructor(options: ClusterOptions) {
    const { node } = this;
    const { settings, mirror, onUnreachable, mustSync, fetch } = options;
    const { name } = settings;
    this.#settings = options.settings;
    this.#largestBodyBytes = options.largestBodyBytes;
    this.#copyPath = options.copyPath;
    this.#onWarning = options.onWarning;
    this.#onCopy = options.onCopy;
    this.#onNoCopy = options.onNoCopy;
    this.#onState = options.onState;
    const onWarning = (detail: string) => this.#warn(detail);
    const sync = new SyncCheck({ monitors: settings.monitors, mustSync, fetch, onWarning });
    this.#stream = new EntryStream({
      name,
      connect: (signal) => connectToNats(settings, { node, onFailure: onUnreachable, signal }),
      prepare: async (connection) => {
        await sync.require();
        const mayCreate = mirror.head === 0 && mirror.place === undefined;
        return prepareStream(connection, { settings, mayCreate });
      },
      onConnected: (connection) => this.#join(connection),
      onState: (following) => this.#noteState(following),
    });
    const onStored = (ms: number) => {
      this.#acknowledged++;
      this.ackSeconds.observe(ms / 1000);
    };
    this.consumers = new SharedConsumers({
      name,
      node,
      mirror: options.consumers,
      place: () => this.#place,
      change: (change) => this.log.change(change),
      isUpToDate: () => this.#stream.following.state === "following" && this.#stream.hasCaughtUp,
    });
    const onAdopted = () => this.consumers.adopted();
    this.log = new ClusterLog({ ...options, stream: this.#stream, node, onStored, onAdopted });
    this.#peers = new Peers({ name, self: () => ({ node, place: this.#place, behind: this.#stream.behind }) });
    const place = () => (this.#stream.following.state === "following" ? this.#place : undefined);
    this.#copies = new Copies({ name, node, place, makeCopy: options.makeCopy });
  }

  stats(): ClusterStats {
    return {
      name: this.#settings.name,
      node: this.node,
      place: this.#place,
      behind: this.#stream.behind,
      connected: this.#stream.isConnected,
      acknowledged: this.#acknowledged,
      reconnects: this.#reconnects,
      consumers: this.consumers.servedBy ?? null,
      nodes: this.#peers.list(),
    };
  }

  get #place(): number {
    return this.log.place?.sequence ?? 0;
  }

  #join(connection: NatsConnection): void {
    this.#connection = connection;
    this.#warn(payloadWarning(connection.info, this.#largestBodyBytes));
    void connection.closed().then(() => this.#stopping.abort());
    void this.#countReconnects(connection);
    this.#peers.join(connection);
    this.consumers.join(connection);
    this.#copies.join(connection);
  }

  #warn(detail: string | undefined): void {
    if (detail === undefined || this.#warned.has(detail)) return;
    this.#warned.add(detail);
    this.#onWarning(detail);
  }

  async #countReconnects(connection: NatsConnection): Promise<void> {
    for await (const { type } of connection.status()) if (type === "reconnect") this.#reconnects++;
  }

  #noteState(following: Following): void {
    this.#onState(following);
    if (following.state !== "failed" || !(following.error instanceof NeedsCopy)) return;
    if (this.#connection !== undefined && !this.#isFetching) void this.#fetch(this.#connection);
  }

  /** Retries until there is a copy: nothing else helps. */
  async #fetch(connection: NatsConnection): Promise<void> {
    this.#isFetching = true;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        return this.#onCopy(
          await fetchCopy(connection, { name: this.#settings.name, node: this.node, path: this.#copyPath, signal }),
        );
      } catch (error) {
        if (!signal.aborted) this.#onNoCopy(error instanceof Error ? error.message : String(error));
      }
      await Bun.sleep(FETCH_PAUSE_MS);
    }
  }
}
