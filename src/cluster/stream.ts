import { DeliverPolicy, type JsMsg, jetstream, type StreamInfo } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { BusError } from "../bus/errors.ts";
import type { Place } from "../bus/ports.ts";
import { Sending } from "./sending.ts";
import { subjectOf } from "./stream-config.ts";

/** The server reports an idle consumer as alive this often, in milliseconds; two missed reports restart it. */
const IDLE_HEARTBEAT_MS = 5000;
/**
 * Entries under way from the server. An entry is at most as large as `max_payload`, and usually far smaller, so this
 * bounds the memory and still keeps a node busy that catches up.
 */
const MAX_ENTRIES_UNDER_WAY = 64;
/** Time before another attempt to follow the stream, in milliseconds; doubled after each failure, up to a limit. */
const RETRY_MS = 100;
const MAX_RETRY_MS = 5000;
/** While it follows, a node looks at the stream this often, in milliseconds. */
const LOOK_MS = 5000;
/** Entries that a node may be behind and still count as up to date: those that are just being adopted. */
const MAX_BEHIND_READY = 1000;
/** A consumer that its node has left is removed by the server after this time, in nanoseconds. */
const INACTIVE_NS = 60 * 1e9;

/** Bytes of entries that have arrived and wait for a later turn of the loop; with more, a turn takes more of them. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024;

/** An entry as it comes from the stream. */
export interface Message {
  readonly sequence: number;
  readonly bytes: Uint8Array;
}

/** What the server says about the stream. */
export interface StreamState {
  readonly createdS: number;
  readonly createdNs: number;
  /** The oldest and the newest entry. */
  readonly first: number;
  readonly last: number;
}

/** Takes the entries of the stream. */
export interface Sink {
  /** Up to where entries were taken; undefined: none were. */
  readonly place: Place | undefined;
  /** Throws if the stream does not continue what was taken. */
  requireContinued(state: StreamState): void;
  /**
   * Takes the first of these entries, which follow one another, as many as fit into a turn of the loop. Returns how
   * many; at least one. Throws if none can be taken now.
   */
  take(messages: readonly Message[], state: StreamState): number;
}

export interface EntryStreamOptions {
  /** The name of the stream. */
  readonly name: string;
  /** Resolves once there is a connection, however long it takes; rejects when the signal aborts. The stream closes it. */
  readonly connect: (signal: AbortSignal) => Promise<NatsConnection>;
  /** Creates the stream if it is missing, and checks it. Rejects if it cannot be used. */
  readonly prepare: (connection: NatsConnection) => Promise<StreamInfo>;
  /** Called once, with the first connection; it reconnects by itself. */
  readonly onConnected?: (connection: NatsConnection) => void;
  /** Called when the state of the stream, as this node sees it, has changed. */
  readonly onState?: (state: Following) => void;
}

/** How a node follows the stream. `failed`: it cannot go on without help. `reason`: of the last attempt, if it is known. */
export type Following =
  | { readonly state: "following" }
  | { readonly state: "disconnected"; readonly reason?: string }
  | { readonly state: "failed"; readonly error: BusError };

/**
 * One stream of NATS JetStream, which orders the entries of all nodes.
 *
 * Follows it for ever: each time something is unclear (a lost connection, a missed heartbeat, a sequence that does not
 * follow the last one), it looks at the stream again and continues after the last entry that was taken.
 */
export class EntryStream {
  readonly #name: string;
  readonly #connect: (signal: AbortSignal) => Promise<NatsConnection>;
  readonly #prepare: (connection: NatsConnection) => Promise<StreamInfo>;
  readonly #onConnected: EntryStreamOptions["onConnected"];
  readonly #onState: EntryStreamOptions["onState"];
  #connection: NatsConnection | undefined;
  #isConnected = false;
  #following: Following = { state: "disconnected" };
  #hasCaughtUp = false;
  #taken = 0;
  #last = 0;
  readonly #stopping = new AbortController();
  #endSession: () => void = () => {};
  #running: Promise<void> = Promise.resolve();

  constructor(options: EntryStreamOptions) {
    this.#name = options.name;
    this.#connect = options.connect;
    this.#prepare = options.prepare;
    this.#onConnected = options.onConnected;
    this.#onState = options.onState;
  }

  /** Starts to follow, after the place of the sink. */
  follow(sink: Sink): void {
    this.#taken = sink.place?.sequence ?? 0;
    this.#running = this.#run(sink).catch(() => {});
  }

  /** Stores an entry in the stream; see `Sending`. */
  publish(id: string, bytes: Uint8Array, deadlineMs: number): Sending {
    return new Sending({
      subject: subjectOf(this.#name),
      id,
      bytes,
      deadlineMs,
      connection: () => this.#usable,
    });
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  get following(): Following {
    if (this.#isConnected || this.#following.state === "disconnected") return this.#following;
    return { state: "disconnected" };
  }

  /** Entries of the stream that were not taken yet, as far as is known. */
  get behind(): number {
    return Math.max(0, this.#last - this.#taken);
  }

  /** Every entry that the stream had at the start was taken. */
  get hasCaughtUp(): boolean {
    return this.#hasCaughtUp;
  }

  /** False until every entry that the stream had at the start was taken, and while far too many wait. */
  get isUpToDate(): boolean {
    return this.#hasCaughtUp && this.behind <= MAX_BEHIND_READY;
  }

  /** The greatest size of a message, in bytes; undefined while it is unknown. */
  get maxPayload(): number | undefined {
    return this.#connection?.info?.max_payload;
  }

  /** Takes no more entries. May be called twice. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#endSession();
    await this.#connection?.close(); // ends what waits for an answer of NATS
    await this.#running;
  }

  /** Only while the stream is known to be the one that this node has adopted from: another must not get an entry. */
  get #usable(): NatsConnection | undefined {
    return this.following.state === "following" ? this.#connection : undefined;
  }

  async #run(sink: Sink): Promise<void> {
    const connection = await this.#connect(this.#stopping.signal);
    this.#connection = connection;
    this.#isConnected = true;
    this.#onConnected?.(connection);
    void this.#watch(connection);
    let pauseMs = RETRY_MS;
    while (!this.#isStopped) {
      try {
        await this.#session(connection, sink);
        pauseMs = RETRY_MS;
      } catch (error) {
        this.#set(
          error instanceof BusError ? { state: "failed", error } : { state: "disconnected", reason: `${error}` },
        );
        pauseMs = Math.min(2 * pauseMs, MAX_RETRY_MS);
        if (this.following.state === "disconnected") await this.#tryAnotherServer(connection);
      }
      if (!this.#isStopped) await this.#pause(pauseMs);
      while (!this.#isConnected && !this.#isStopped) await this.#pause(MAX_RETRY_MS);
    }
  }

  /** The server that it is connected to may be cut off from the others, and never learn more. */
  async #tryAnotherServer(connection: NatsConnection): Promise<void> {
    if (this.#isConnected && !this.#isStopped) await connection.reconnect().catch(() => {});
  }

  get #isStopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  /** Rejects when the connection is lost: what was asked over it may never be answered. */
  #unlessEnded<T>(answer: Promise<T>): Promise<T> {
    const { promise, reject } = Promise.withResolvers<never>();
    this.#endSession = () => reject(new Error("the connection was lost"));
    return Promise.race([answer, promise]);
  }

  /** Ends early when the connection comes back. */
  async #pause(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#endSession = resolve;
    await Promise.race([promise, Bun.sleep(ms)]);
  }

  /** Follows until something is unclear. */
  async #session(connection: NatsConnection, sink: Sink): Promise<void> {
    const state = stateOf(await this.#unlessEnded(this.#prepare(connection)));
    sink.requireContinued(state);
    this.#last = state.last;
    const next = (sink.place?.sequence ?? 0) + 1;
    const from = { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: next, inactive_threshold: INACTIVE_NS };
    const consumer = await this.#unlessEnded(jetstream(connection).consumers.get(this.#name, from));
    const { promise: ended, resolve: end, reject: fail } = Promise.withResolvers<void>();
    this.#endSession = end;
    const intake = new Intake(sink, state, (taken) => this.#tookTo(taken), fail);
    const messages = await consumer.consume({
      max_messages: MAX_ENTRIES_UNDER_WAY,
      idle_heartbeat: IDLE_HEARTBEAT_MS,
      callback: (message) => {
        this.#last = message.seq + message.info.pending;
        if (intake.add(message)) return;
        // The consumer was to begin with entry `next`, but its first entry is a later one.
        if (intake.isUntouched) fail(new BusError("unavailable", `entry ${next} is missing in the stream`));
        else end();
      },
    });
    void (async () => {
      for await (const { type } of messages.status()) if (UNCLEAR.has(type)) end();
    })();
    void messages.closed().then(() => end());
    this.#set({ state: "following" });
    this.#tookTo(next - 1);
    const look = setInterval(() => void this.#look(connection, state).catch(fail), LOOK_MS);
    try {
      await ended;
    } finally {
      clearInterval(look);
      intake.close();
      await messages.close();
      void consumer.delete().catch(() => {});
    }
  }

  /**
   * Rejects when the stream cannot be used any more. The consumer does not notice: it may be on a server that is cut off
   * from the others.
   */
  async #look(connection: NatsConnection, before: StreamState): Promise<void> {
    const { createdS, createdNs } = stateOf(await this.#prepare(connection));
    if (createdS !== before.createdS || createdNs !== before.createdNs) this.#endSession();
  }

  #tookTo(sequence: number): void {
    this.#taken = sequence;
    if (this.#taken >= this.#last) this.#hasCaughtUp = true;
  }

  /** After a reconnect, the stream may be another one. */
  async #watch(connection: NatsConnection): Promise<void> {
    for await (const { type } of connection.status()) {
      if (type !== "disconnect" && type !== "reconnect") continue;
      this.#isConnected = type === "reconnect";
      if (this.#following.state !== "disconnected") this.#set({ state: "disconnected" });
      this.#endSession();
    }
  }

  #set(following: Following): void {
    const before = this.#following;
    this.#following = following;
    if (following.state !== before.state || reasonOf(following) !== reasonOf(before)) this.#onState?.(this.following);
  }
}

function reasonOf(following: Following): string | undefined {
  if (following.state === "failed") return following.error.message;
  return following.state === "disconnected" ? following.reason : undefined;
}

/** Reports of a consumer after which its place is not certain. */
const UNCLEAR = new Set([
  "heartbeats_missed",
  "consumer_not_found",
  "consumer_deleted",
  "stream_not_found",
  "ordered_consumer_recreated",
  "reset",
  "no_responders",
  "exceeded_limits",
]);

/** Gathers what arrives in one turn of the loop, so that it shares a transaction. */
class Intake {
  readonly #sink: Sink;
  readonly #state: StreamState;
  readonly #onTaken: (sequence: number) => void;
  readonly #onFailure: (error: unknown) => void;
  /** No entry has come yet. */
  isUntouched = true;
  #waiting: Message[] = [];
  #waitingBytes = 0;
  #next: number;
  #isScheduled = false;
  #isClosed = false;

  constructor(
    sink: Sink,
    state: StreamState,
    onTaken: (sequence: number) => void,
    onFailure: (error: unknown) => void,
  ) {
    this.#sink = sink;
    this.#state = state;
    this.#onTaken = onTaken;
    this.#onFailure = onFailure;
    this.#next = (sink.place?.sequence ?? 0) + 1;
  }

  /** Returns false if an entry is missing before this one. */
  add({ seq, data }: JsMsg): boolean {
    // A server before 2.11 begins with the last entry if there is none yet at the place that was asked for.
    if (seq < this.#next || this.#isClosed) return true;
    if (seq > this.#next) return false;
    this.isUntouched = false;
    this.#next = seq + 1;
    this.#waitingBytes += data.length;
    this.#waiting.push({ sequence: seq, bytes: data });
    this.#schedule();
    return true;
  }

  close(): void {
    this.#isClosed = true;
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      if (!this.#isClosed) this.#flush();
    });
  }

  #flush(): void {
    try {
      do this.#takeSome();
      while (this.#waitingBytes > MAX_WAITING_BYTES);
      if (this.#waiting.length > 0) this.#schedule();
    } catch (error) {
      this.#isClosed = true;
      this.#onFailure(error);
    }
  }

  #takeSome(): void {
    const count = this.#sink.take(this.#waiting, this.#state);
    const taken = this.#waiting.splice(0, count);
    for (const { bytes } of taken) this.#waitingBytes -= bytes.length;
    this.#onTaken(taken.at(-1)?.sequence ?? 0);
  }
}

export function stateOf({ created, state }: StreamInfo): StreamState {
  const [, whole = "", fraction = ""] = /^(.*?)(?:\.(\d+))?Z$/.exec(created) ?? [];
  return {
    createdS: Date.parse(`${whole}Z`) / 1000,
    createdNs: Number(fraction.padEnd(9, "0")),
    first: state.first_seq,
    last: state.last_seq,
  };
}
