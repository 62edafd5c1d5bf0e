import { Cluster } from "../../src/cluster/cluster.ts";
import type { ClusterLog } from "../../src/cluster/cluster-log.ts";
import { SqliteEventLog } from "../../src/store/event-log.ts";

export interface NodeOptions {
  /** URL of a NATS server. */
  readonly url: string;
  /** The name of the stream. */
  readonly name: string;
  /** The history file. */
  readonly path: string;
  readonly clock?: () => number;
  /** How long a change may take, in milliseconds. */
  readonly budgetMs?: number;
}

/** A node of a cluster in this process, without its network edge. */
export class ClusterNode implements AsyncDisposable {
  readonly cluster: Cluster;
  /** Resolves with the path of the copy of another node's history, if this one needs it. */
  readonly copied: Promise<string>;

  constructor({ url, name, path, clock = Date.now, budgetMs }: NodeOptions) {
    const mirror = new SqliteEventLog(path, { durability: "os", clock, isMirror: true });
    const copied = Promise.withResolvers<string>();
    this.copied = copied.promise;
    const rest = { monitors: [], token: undefined, credsFile: undefined, tls: undefined };
    this.cluster = new Cluster({
      settings: { servers: [url], name, replicas: 1, ...rest },
      mustSync: false,
      largestBodyBytes: 0,
      fetch,
      onWarning: () => {},
      mirror,
      tokens: mirror.tokens,
      consumers: mirror.consumers,
      clock,
      budgetMs,
      makeCopy: (signal) => mirror.backup(signal),
      copyPath: `${path}.from-peer`,
      onCopy: () => copied.resolve(`${path}.from-peer`),
      onNoCopy: () => {},
      onUnreachable: () => {},
      onState: () => {},
    });
  }

  get log(): ClusterLog {
    return this.cluster.log;
  }

  /** Resolves once it is up to date. */
  async ready(): Promise<this> {
    while (this.log.health().state !== "ok") await Bun.sleep(1);
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.log.close();
  }
}
