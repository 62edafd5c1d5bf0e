import type { NatsConnection } from "@nats-io/transport-node";

/** Time between two announcements of a node, in milliseconds. */
const ANNOUNCE_MS = 2000;
/** A node that was silent for this long is gone, in milliseconds: three announcements were missed. */
const GONE_MS = 3 * ANNOUNCE_MS;
/** Nodes that are remembered; a cluster has a handful. */
const MAX_PEERS = 1000;

/** What a node says about itself. */
export interface Peer {
  readonly node: string;
  /** The last entry of the stream that it has adopted. */
  readonly place: number;
  /** Entries that it has not adopted yet, as far as it knows. */
  readonly behind: number;
}

export interface PeersOptions {
  readonly name: string;
  readonly self: () => Peer;
}

/** The nodes of a cluster, as they announce themselves. Only for people: nothing depends on who is there. */
export class Peers {
  readonly #subject: string;
  readonly #self: () => Peer;
  readonly #seen = new Map<string, { readonly peer: Peer; readonly atMs: number }>();

  constructor({ name, self }: PeersOptions) {
    this.#subject = `${name}.nodes`;
    this.#self = self;
  }

  /** Announces this node, and listens to the others, until the connection is closed. */
  join(connection: NatsConnection): void {
    connection.subscribe(this.#subject, {
      callback: (error, message) => {
        const peer = error === null ? peerOf(message.string()) : undefined;
        if (peer !== undefined && this.#seen.size < MAX_PEERS) {
          this.#seen.set(peer.node, { peer, atMs: performance.now() });
        }
      },
    });
    const announce = () => connection.publish(this.#subject, JSON.stringify(this.#self()));
    announce();
    const timer = setInterval(announce, ANNOUNCE_MS);
    void connection.closed().then(() => clearInterval(timer));
  }

  /** The nodes that were heard lately, and this one, by name. */
  list(): Peer[] {
    const nowMs = performance.now();
    for (const [node, { atMs }] of this.#seen) if (nowMs - atMs > GONE_MS) this.#seen.delete(node);
    const self = this.#self();
    const others = [...this.#seen.values()].map(({ peer }) => peer).filter(({ node }) => node !== self.node);
    return [self, ...others].sort((a, b) => (a.node < b.node ? -1 : 1));
  }
}

function peerOf(json: string): Peer | undefined {
  try {
    const { node, place, behind }: Partial<Record<keyof Peer, unknown>> = JSON.parse(json) ?? {};
    const isPeer = typeof node === "string" && typeof place === "number" && typeof behind === "number";
    return isPeer ? { node, place, behind } : undefined;
  } catch {
    return undefined;
  }
}
