import { errors, headers, type NatsConnection } from "@nats-io/transport-node";
import { BusError } from "../bus/errors.ts";

/**
 * How long one attempt waits for the acknowledgement, in milliseconds. What was sent just before a connection broke is
 * sent again once it is back; a server that is only slow recognises the repeat.
 */
const ATTEMPT_MS = 2000;
/** Time between two attempts, in milliseconds. */
const PAUSE_MS = 200;

/** Error codes of JetStream, `err_code` in its answers. */
const DUPLICATE_UNDER_WAY = 10158;
const TOO_MANY_REQUESTS = 10167;
const MESSAGE_TOO_LARGE = 10054;
/** The stream has reached a limit and rejects new messages; or the account, or the disk, has. */
const FULL = new Set([10077, 10047, 10023, 10028]);

export interface SendingOptions {
  readonly subject: string;
  /** The same for each attempt, so that the server stores the entry once. */
  readonly id: string;
  readonly bytes: Uint8Array;
  /** When to give up, by `performance.now()`. */
  readonly deadlineMs: number;
  /** Undefined while NATS cannot be reached. */
  readonly connection: () => NatsConnection | undefined;
}

const LATE = "the cluster did not answer in time";
const OVERLOADED = "NATS has rejected it for as long as it was tried: it is overloaded";

/** An entry was given up. */
export class NotSent extends BusError {
  /** Nothing was stored. Otherwise the entry may be in the stream nevertheless. */
  readonly isCertain: boolean;

  constructor(code: "unavailable" | "payload_too_large" | "storage_full", why: string, isCertain: boolean) {
    const unknown = "whether this was stored is unknown; publish again with the same Idempotency-Key";
    super(isCertain ? code : "unavailable", `${why}: ${isCertain ? "nothing was stored" : unknown}`);
    this.isCertain = isCertain;
  }
}

/** One entry on its way to the stream, tried again and again until it is acknowledged or its time is over. */
export class Sending {
  /** Resolves once the entry is in the stream, or `settle` was called. Rejects with `NotSent`. */
  readonly done: Promise<void>;
  readonly #subject: string;
  readonly #id: string;
  readonly #bytes: Uint8Array;
  readonly #deadlineMs: number;
  readonly #connection: () => NatsConnection | undefined;
  /** An attempt may have reached the stream though it was not acknowledged. */
  #mayBeStored = false;
  #isUnderWay = false;
  #isOver = false;
  /** Why it is given up if the time ends now. */
  #why = LATE;

  constructor(options: SendingOptions) {
    this.#subject = options.subject;
    this.#id = options.id;
    this.#bytes = options.bytes;
    this.#deadlineMs = options.deadlineMs;
    this.#connection = options.connection;
    this.done = this.#run();
    this.done.catch(() => {}); // after `settle` no one waits for it
  }

  /** The entry was seen in the stream, or its publishers have left: no attempt is needed any more. */
  settle(): void {
    this.#isOver = true;
  }

  /** Ends the attempts; returns the error for the waiting callers. */
  giveUp(): NotSent {
    this.#isOver = true;
    if (this.#isUnderWay) this.#mayBeStored = true;
    return this.#failure("unavailable", this.#why);
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      if (await this.#attempt()) return;
      if (this.#isOver) return;
      if (performance.now() >= this.#deadlineMs) {
        throw this.#failure("unavailable", this.#why);
      }
      await Bun.sleep(PAUSE_MS);
    }
  }

  /** Returns whether the entry is in the stream. Throws if another attempt is useless. */
  async #attempt(): Promise<boolean> {
    const current = this.#connection();
    if (current === undefined) return false;
    const timeout = Math.max(1, Math.min(ATTEMPT_MS, this.#deadlineMs - performance.now()));
    const messageId = headers();
    messageId.set("Nats-Msg-Id", this.#id);
    this.#isUnderWay = true;
    try {
      const answer = await current.request(this.#subject, this.#bytes, { timeout, headers: messageId });
      const isAccepted = this.#accepts(answer.json());
      if (isAccepted) this.#mayBeStored = true;
      return isAccepted;
    } catch (error) {
      if (error instanceof NotSent) throw error;
      // Without responders, no server has the stream now, so none has taken the entry.
      const isUntaken = error instanceof errors.RequestError && error.isNoResponders();
      if (!isUntaken) this.#mayBeStored = true;
      return false;
    } finally {
      this.#isUnderWay = false;
    }
  }

  #accepts(answer: unknown): boolean {
    const { code, err_code, description } = errorIn(answer) ?? {};
    this.#why = err_code === TOO_MANY_REQUESTS ? OVERLOADED : LATE;
    if (code === undefined) return true;
    if (err_code === MESSAGE_TOO_LARGE)
      throw this.#failure("payload_too_large", "the stream does not accept an entry this large");
    if (err_code !== undefined && FULL.has(err_code)) throw this.#failure("storage_full", "the stream is full");
    if (err_code === DUPLICATE_UNDER_WAY) this.#mayBeStored = true;
    else if (err_code !== TOO_MANY_REQUESTS && code < 500)
      throw this.#failure("unavailable", `NATS rejects it (${description})`);
    return false;
  }

  #failure(code: "unavailable" | "payload_too_large" | "storage_full", why: string): NotSent {
    return new NotSent(code, why, !this.#mayBeStored);
  }
}

interface ApiError {
  readonly code: number;
  readonly err_code?: number;
  readonly description?: string;
}

function errorIn(answer: unknown): ApiError | undefined {
  if (typeof answer !== "object" || answer === null || !("error" in answer)) return undefined;
  return answer.error as ApiError;
}
