import type { Consumer, Taker } from "../../bus/consumers/consumer.ts";
import type { PushSettings } from "../../bus/consumers/push.ts";
import { retryDelayMs } from "../../bus/consumers/settings.ts";
import type { Delivery } from "../../bus/consumers/task.ts";
import type { PushAttempt } from "../../protocol/consumer.ts";
import type { AddressRules, Resolve } from "./addresses.ts";
import { EndpointHealth } from "./endpoint-health.ts";
import { type Outcome, Poster } from "./poster.ts";
import { Signer } from "./signature.ts";

/** Attempts that are kept for inspection. */
const MAX_ATTEMPTS_KEPT = 100;
/** Delays vary by this part, so that what failed together is not retried together. */
const JITTER = 0.2;
const GONE = 410;

export interface PusherOptions {
  readonly consumer: Consumer;
  readonly push: PushSettings;
  readonly rules: AddressRules;
  readonly resolve: Resolve;
  /** The monotonic clock, in milliseconds. */
  readonly now: () => number;
  /** Called when the endpoint wants no more events. */
  readonly onGone: (reason: string) => void;
}

/** As it is kept; written in full only for those who look. */
type Attempt = Omit<PushAttempt, "at"> & { readonly atMs: number };

/**
 * Posts the events of one consumer: several at a time while the endpoint accepts them. An endpoint that fails
 * everything is probed by one request at a time; while it is away, these do not count as attempts, so its backlog
 * survives.
 */
export class Pusher implements Taker {
  readonly #consumer: Consumer;
  readonly #concurrency: number;
  readonly #poster: Poster;
  readonly #signer = new Signer();
  /** Ends the id of each request: other consumers post the same events. */
  readonly #idSuffix: string;
  readonly #onGone: (reason: string) => void;
  readonly #attempts: Attempt[] = [];
  readonly #health: EndpointHealth;
  #active = 0;
  #isClosed = false;

  constructor({ consumer, push, rules, resolve, now, onGone }: PusherOptions) {
    this.#consumer = consumer;
    this.#idSuffix = Bun.hash.crc32(consumer.name).toString(36);
    this.#concurrency = push.concurrency;
    this.#poster = new Poster({ push, rules, resolve });
    this.#health = new EndpointHealth(now);
    this.#onGone = onGone;
    consumer.addTaker(this);
  }

  get room(): number {
    if (this.#health.isResting) return 0;
    return (this.#health.isDown ? 1 : this.#concurrency) - this.#active;
  }

  get prefersNew(): boolean {
    return this.#health.prefersNew;
  }

  /** The latest attempts, newest first. */
  get attempts(): readonly PushAttempt[] {
    return this.#attempts.toReversed().map(({ event_id, attempt, atMs, ...rest }) => {
      return { event_id, attempt, at: new Date(atMs).toISOString(), ...rest };
    });
  }

  give(deliveries: readonly Delivery[]): void {
    for (const one of deliveries) void this.#post(one);
  }

  /** Posts nothing more, and abandons what is under way: it is delivered again. */
  close(): void {
    this.#consumer.removeTaker(this);
    this.#isClosed = true;
    this.#poster.close();
  }

  async #post(one: Delivery): Promise<void> {
    this.#active++;
    const body = one.event?.json ?? JSON.stringify({ type: "gap", ...one.gap });
    const startMs = performance.now();
    const id = `evt_${idOf(one)}_${this.#idSuffix}`;
    const timestampS = Math.floor(Date.now() / 1000);
    const headers = this.#signer.headers(this.#consumer.signingSecrets, id, timestampS, body);
    const outcome = await this.#poster.post(headers, body);
    this.#active--;
    if (this.#isClosed) this.#consumer.putBack([one.delivery], "", 0);
    else {
      this.#note(one, outcome, performance.now() - startMs);
      this.#settle(one, outcome);
      this.#consumer.wake();
    }
  }

  #settle(one: Delivery, outcome: Outcome): void {
    const { status, error } = outcome;
    if (error === undefined) {
      this.#health.accepted();
      this.#consumer.ack([one.delivery]);
    } else if (status === GONE) {
      this.#consumer.putBack([one.delivery], error, 0);
      this.#onGone(`${error}: it wants no more events; resume the consumer if it does`);
    } else this.#fail(one, error, outcome);
  }

  #fail(one: Delivery, error: string, outcome: Outcome): void {
    const { restMs, counts } = this.#health.failed(idOf(one), outcome);
    if (restMs > 0) setTimeout(() => this.#consumer.wake(), restMs + 1);
    const schedule = retryDelayMs(this.#consumer.settings, one.attempt) * (1 - JITTER + 2 * JITTER * Math.random());
    const delayMs = Math.max(outcome.retryAfterMs, Math.round(schedule));
    if (counts) this.#consumer.nack([one.delivery], error, delayMs);
    else this.#consumer.putBack([one.delivery], error, outcome.retryAfterMs);
  }

  #note(one: Delivery, { status, error }: Outcome, durationMs: number): void {
    this.#attempts.push({
      event_id: idOf(one),
      attempt: one.attempt,
      atMs: Date.now(),
      status: status ?? null,
      duration_ms: Math.round(durationMs),
      error: error ?? null,
    });
    if (this.#attempts.length > MAX_ATTEMPTS_KEPT) this.#attempts.shift();
  }
}

/** The id of the event; the first missing one of a gap. */
function idOf({ event, gap }: Delivery): number {
  return event?.id ?? (gap?.after ?? 0) + 1;
}
