import { errors, headers, type Msg, type NatsConnection } from "@nats-io/transport-node";
import { HostLost } from "../../bus/consumers/ports.ts";
import { BusError } from "../../bus/errors.ts";

/** A call without an answer after this time is lost, in milliseconds: no request waits this long. */
const CALL_MS = 150_000;
/** A response is dropped if its next part is not requested within this time, in milliseconds. */
const KEPT_MS = 30_000;
/** Bytes of an answer in one message. NATS takes a mebibyte by default. */
const CHUNK_BYTES = 512 * 1024;
/** Bytes of a message beside its data. */
const HEADER_BYTES = 1024;
/** How long a node waits to reach the other's place in the stream, in milliseconds: usually a moment is enough. */
const PLACE_MS = 5000;
const PLACE_LOOK_MS = 2;

/** Names a call, in all its messages. */
const CALL = "Eventbus-Call";
/** What a message is: `ask`, `cancel`, or `more` of an answer; of an answer `part`, `end`, or `lost`. */
const KIND = "Eventbus-Kind";
/** The last entry that the sender has adopted: the other side first waits until it has adopted that one, too. */
const PLACE = "Eventbus-Place";

export interface CallsOptions {
  readonly name: string;
  readonly node: string;
  /** The last entry that was adopted here. */
  readonly place: () => number;
}

export type Handle = (request: Uint8Array, signal: AbortSignal) => Promise<Uint8Array>;

/** Calls between the nodes of a cluster, by NATS requests. A receiver first adopts everything that the sender had. */
export class Calls {
  readonly #name: string;
  readonly #node: string;
  readonly #place: () => number;
  readonly #underWay = new Map<string, AbortController>();
  readonly #rest = new Map<string, Uint8Array>();
  readonly #lost = new Map<string, Set<(error: HostLost) => void>>();
  #connection: NatsConnection | undefined;
  #handle: Handle | undefined;

  constructor({ name, node, place }: CallsOptions) {
    this.#name = name;
    this.#node = node;
    this.#place = place;
  }

  /** Handles the calls of other nodes from now on. */
  onCall(handle: Handle): void {
    this.#handle = handle;
  }

  /** Receives calls until the connection is closed. */
  join(connection: NatsConnection): void {
    this.#connection = connection;
    connection.subscribe(subjectOf(this.#name, this.#node), {
      callback: (error, message) => {
        if (error === null) this.#receive(message);
      },
    });
    void connection.closed().then(() => {
      this.#connection = undefined;
      for (const call of this.#underWay.values()) call.abort();
    });
  }

  /** Rejects the calls to every node but `exceptNode`: they will not be answered. */
  lose(exceptNode: string): void {
    for (const [node, rejects] of this.#lost) {
      if (node === exceptNode) continue;
      this.#lost.delete(node);
      for (const reject of rejects) reject(new HostLost(false));
    }
  }

  /** Rejects with `HostLost`, `payload_too_large`, or the signal's reason. */
  async call(node: string, request: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    const connection = this.#connection;
    if (connection === undefined) throw new HostLost(true);
    const limit = (connection.info?.max_payload ?? Number.POSITIVE_INFINITY) - HEADER_BYTES;
    if (request.length > limit) {
      throw new BusError("payload_too_large", `the cluster takes at most ${limit} bytes at a time`, {
        members: { limit },
      });
    }
    signal.throwIfAborted();
    const subject = subjectOf(this.#name, node);
    const id = crypto.randomUUID();
    const { promise: ended, reject: end } = Promise.withResolvers<never>();
    const cancel = () => {
      connection.publish(subject, undefined, { headers: this.#marks(id, "cancel") });
      end(signal.reason);
    };
    const rejects = this.#lost.get(node) ?? new Set();
    this.#lost.set(node, rejects.add(end));
    signal.addEventListener("abort", cancel);
    try {
      return await Promise.race([ended, this.#exchange(connection, subject, id, request)]);
    } finally {
      signal.removeEventListener("abort", cancel);
      rejects.delete(end);
    }
  }

  async #exchange(connection: NatsConnection, subject: string, id: string, data: Uint8Array): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    for (let kind = "ask"; ; kind = "more") {
      const options = { headers: this.#marks(id, kind), timeout: CALL_MS };
      const answer = await connection.request(subject, kind === "ask" ? data : undefined, options).catch(lost);
      const answered = answer.headers?.get(KIND);
      if (answered === "lost") throw new HostLost(kind === "ask");
      parts.push(answer.data);
      if (answered === "part") continue;
      await this.#reach(answer);
      return Buffer.concat(parts);
    }
  }

  #receive(message: Msg): void {
    const id = message.headers?.get(CALL) ?? "";
    const kind = message.headers?.get(KIND);
    if (kind === "cancel") this.#underWay.get(id)?.abort();
    if (kind === "ask") void this.#answer(message, id);
    if (kind === "more") this.#send(message, id, this.#rest.get(id));
  }

  async #answer(message: Msg, id: string): Promise<void> {
    const call = new AbortController();
    this.#underWay.set(id, call);
    try {
      await this.#reach(message);
      const answer = await this.#handle?.(message.data, call.signal);
      this.#send(message, id, answer);
    } catch {
      this.#send(message, id, undefined);
    } finally {
      this.#underWay.delete(id);
    }
  }

  /** Undefined: the call was not handled, or its answer is not kept any more. */
  #send(message: Msg, id: string, answer: Uint8Array | undefined): void {
    if (message.reply === undefined || this.#connection === undefined) return;
    this.#rest.delete(id);
    const isWhole = answer !== undefined && answer.length <= CHUNK_BYTES;
    const kind = answer === undefined ? "lost" : isWhole ? "end" : "part";
    if (answer !== undefined && !isWhole) {
      const rest = answer.subarray(CHUNK_BYTES);
      this.#rest.set(id, rest);
      setTimeout(() => {
        if (this.#rest.get(id) === rest) this.#rest.delete(id);
      }, KEPT_MS);
    }
    message.respond(answer?.subarray(0, CHUNK_BYTES), { headers: this.#marks(id, kind) });
  }

  #marks(id: string, kind: string) {
    const marks = headers();
    marks.set(CALL, id);
    marks.set(KIND, kind);
    marks.set(PLACE, String(this.#place()));
    return marks;
  }

  /** Waits until this node has adopted what the sender had. */
  async #reach({ headers: marks }: Msg): Promise<void> {
    const place = Number(marks?.get(PLACE) ?? 0);
    for (const deadlineMs = performance.now() + PLACE_MS; performance.now() < deadlineMs; ) {
      if (this.#place() >= place) return;
      await Bun.sleep(PLACE_LOOK_MS);
    }
  }
}

/** Without responders it was not received. */
function lost(error: unknown): never {
  throw new HostLost(error instanceof errors.RequestError && error.isNoResponders());
}

function subjectOf(name: string, node: string): string {
  return `${name}.consumers.${node}`;
}
