import { open, rm } from "node:fs/promises";
import { createInbox, headers, type Msg, type NatsConnection } from "@nats-io/transport-node";
import { BusError } from "../bus/errors.ts";

/** Bytes of a copy in one message. NATS takes a mebibyte by default. */
const CHUNK_BYTES = 256 * 1024;
/** How long nodes have to offer a copy, in milliseconds. */
const OFFER_MS = 1000;
/** A transfer in which nothing came for this long has failed, in milliseconds. */
const SILENCE_MS = 30_000;
/** While the copy is made, the other side gets a sign of life this often, in milliseconds. */
const WAIT_MS = 5000;
/** Marks what a message of a transfer is: data, a sign of life, the end with the hash of all data, or a failure. */
const KIND = "Eventbus-Copy";
const HASH = "Eventbus-Sha256";

/** A copy of a history that can be read once, from the start. */
export interface HistoryCopy extends AsyncDisposable {
  /** The next bytes; empty at the end. */
  read(): Promise<Uint8Array>;
}

export interface CopiesOptions {
  readonly name: string;
  readonly node: string;
  /** The last entry that is in the history; undefined: it is no use to others now. */
  readonly place: () => number | undefined;
  readonly makeCopy: (signal: AbortSignal) => Promise<HistoryCopy>;
}

interface Offer {
  readonly node: string;
  readonly place: number;
}

/** Gives the history of this node to nodes that cannot follow the stream from where they are. */
export class Copies {
  readonly #name: string;
  readonly #node: string;
  readonly #place: () => number | undefined;
  readonly #makeCopy: (signal: AbortSignal) => Promise<HistoryCopy>;
  readonly #stopping = new AbortController();
  #isBusy = false;

  constructor(options: CopiesOptions) {
    this.#name = options.name;
    this.#node = options.node;
    this.#place = options.place;
    this.#makeCopy = options.makeCopy;
  }

  /** Offers copies until the connection is closed. */
  join(connection: NatsConnection): void {
    void connection.closed().then(() => this.#stopping.abort());
    connection.subscribe(offersOf(this.#name), {
      callback: (error, message) => {
        const own = this.#place();
        if (error === null && own !== undefined && !this.#isBusy) {
          message.respond(JSON.stringify({ node: this.#node, place: own } satisfies Offer));
        }
      },
    });
    connection.subscribe(copyOf(this.#name, this.#node), {
      callback: (error, { reply }) => {
        if (error === null && reply) void this.#send(connection, reply);
      },
    });
  }

  async #send(connection: NatsConnection, to: string): Promise<void> {
    const send = (kind: string, bytes?: Uint8Array, hash?: string) => {
      const marks = headers();
      marks.set(KIND, kind);
      if (hash !== undefined) marks.set(HASH, hash);
      // The answer means that it was written, so no more than one message with data is ever under way.
      return connection.request(to, bytes, { headers: marks, timeout: SILENCE_MS });
    };
    if (this.#isBusy) return void (await send("failed").catch(() => {}));
    this.#isBusy = true;
    const waiting = setInterval(() => void send("wait").catch(() => {}), WAIT_MS);
    try {
      await using copy = await this.#makeCopy(this.#stopping.signal);
      clearInterval(waiting);
      const hasher = new Bun.CryptoHasher("sha256");
      for (let bytes = await copy.read(); bytes.length > 0; bytes = await copy.read()) {
        hasher.update(bytes);
        for (let at = 0; at < bytes.length; at += CHUNK_BYTES) await send("data", bytes.subarray(at, at + CHUNK_BYTES));
      }
      await send("end", undefined, hasher.digest("hex"));
    } catch {
      await send("failed").catch(() => {});
    } finally {
      clearInterval(waiting);
      this.#isBusy = false;
    }
  }
}

/**
 * Writes a copy of another node's history to `path`, and returns the node that it is from. Only the owner can read the
 * file. Rejects, and leaves no file, if no node offers one or the transfer fails.
 */
export async function fetchCopy(
  connection: NatsConnection,
  { name, node, path, signal }: { name: string; node: string; path: string; signal: AbortSignal },
): Promise<string> {
  const from = await bestOffer(connection, name, node);
  if (from === undefined) throw new BusError("unavailable", "no other node offers a copy of its history");
  try {
    await receive(connection, copyOf(name, from), path, signal);
    return from;
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
}

/** The node that is furthest along the stream. */
async function bestOffer(connection: NatsConnection, name: string, self: string): Promise<string | undefined> {
  let best: Offer | undefined;
  const answers = await connection.requestMany(offersOf(name), undefined, { strategy: "timer", maxWait: OFFER_MS });
  for await (const message of answers) {
    const offer = message.json<Offer>();
    if (offer.node !== self && offer.place > (best?.place ?? -1)) best = offer;
  }
  return best?.node;
}

async function receive(connection: NatsConnection, subject: string, path: string, signal: AbortSignal): Promise<void> {
  const inbox = createInbox();
  const messages = connection.subscribe(inbox);
  const stop = () => messages.unsubscribe();
  signal.addEventListener("abort", stop);
  let silence = setTimeout(stop, SILENCE_MS);
  const file = await open(path, "w", 0o600);
  try {
    connection.publish(subject, undefined, { reply: inbox });
    const hasher = new Bun.CryptoHasher("sha256");
    for await (const message of messages) {
      clearTimeout(silence);
      silence = setTimeout(stop, SILENCE_MS);
      const kind = kindOf(message);
      if (kind === "failed") break;
      if (kind === "data") await file.writeFile(message.data);
      hasher.update(message.data);
      message.respond();
      if (kind === "end" && message.headers?.get(HASH) === hasher.digest("hex")) return await file.sync();
    }
    throw new BusError("unavailable", "the copy of another node's history arrived incomplete");
  } finally {
    clearTimeout(silence);
    signal.removeEventListener("abort", stop);
    stop();
    await file.close();
  }
}

function kindOf({ headers }: Msg): string {
  return headers?.get(KIND) ?? "failed"; // no responders
}

function offersOf(name: string): string {
  return `${name}.copies`;
}

function copyOf(name: string, node: string): string {
  return `${name}.copy.${node}`;
}
