import type { NatsConnection } from "@nats-io/transport-node";
import type {
  ChangeSource,
  ConsumerHost,
  ConsumerMirror,
  ConsumerRecord,
  ConsumerStore,
} from "../../bus/consumers/ports.ts";
import { Calls, type CallsOptions, type Handle } from "./calls.ts";
import { LeaseKeeper, type LeaseKeeperOptions, type Server } from "./lease-keeper.ts";

export type SharedConsumersOptions = CallsOptions & LeaseKeeperOptions;

/** The consumers of a cluster: one node serves them, the others pass on what they are asked. */
export class SharedConsumers implements ConsumerHost, ConsumerStore {
  readonly #mirror: ConsumerMirror;
  readonly #keeper: LeaseKeeper;
  readonly #calls: Calls;
  #node: string;

  constructor(options: SharedConsumersOptions) {
    this.#mirror = options.mirror;
    this.#keeper = new LeaseKeeper(options);
    this.#calls = new Calls(options);
    this.#node = options.mirror.lease.node;
  }

  /** Passes calls on over this connection. */
  join(connection: NatsConnection): void {
    this.#calls.join(connection);
  }

  /** Entries were adopted. */
  adopted(): void {
    this.#keeper.adopted();
    const { node } = this.#mirror.lease;
    if (node === this.#node) return;
    this.#node = node;
    this.#calls.lose(node);
  }

  /** Serves the consumers with this server, whenever this node has the lease. */
  serveWith(server: Server): void {
    this.#keeper.attach(server);
  }

  /** Gives the lease back, so that another node can serve them at once. */
  close(): Promise<void> {
    return this.#keeper.close();
  }

  /** The node that serves them; undefined if none does. */
  get servedBy(): string | undefined {
    return this.#mirror.lease.node || undefined;
  }

  get isHere(): boolean {
    return this.#keeper.mayServe;
  }

  names(): ReadonlySet<string> {
    return this.#mirror.names();
  }

  find(isNeeded: boolean): Promise<boolean> {
    return this.#keeper.find(isNeeded);
  }

  ask(request: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    return this.#calls.call(this.#mirror.lease.node, request, signal);
  }

  onAsk(handle: Handle): void {
    this.#calls.onCall(handle);
  }

  /** None, until this node serves them. */
  all(): readonly ConsumerRecord[] {
    return [];
  }

  /** Does nothing: what `save` saves comes from the server that `serveWith` was given. */
  attach(_source: ChangeSource): void {}

  save(): Promise<void> {
    return this.#keeper.save();
  }
}
