import type { Consumer, Taker } from "../../bus/consumers/consumer.ts";
import type { PushSettings } from "../../bus/consumers/push.ts";
import { retryDelayMs } from "../../bus/consumers/settings.ts";
import type { Delivery } from "../../bus/consumers/task.ts";
import type { PushAttempt } from "../../protocol/consumer.ts";
import type { AddressRules, Resolve } from "./addresses.ts";
import { type Outcome, post } from "./post.ts";
import { signedHeaders } from "./signature.ts";

/** Attempts that can be seen. */
const MAX_ATTEMPTS_KEPT = 100;
/** Failures in a row, of more than one event, after which an endpoint counts as down. */
const DOWN_AFTER = 5;
/** Between two probes of an endpoint that is down, in milliseconds: doubles up to the maximum. */
const FIRST_PROBE_MS = 1000;
const MAX_PROBE_MS = 60_000;
/** Delays vary by this part, so that what failed together does not come together. */
const JITTER = 0.2;
const GONE = 410;

export interface PusherOptions {
  readonly consumer: Consumer;
  readonly push: PushSettings;
  readonly rules: AddressRules;
  readonly resolve: Resolve;
  /** The endpoint wants no more. */
  readonly onGone: (reason: string) => void;
}

/**
 * Posts the events of one consumer. While the endpoint accepts, several at a time; an endpoint that fails everything is
 * probed by one request at a time, and these count as no attempts, so its backlog survives the outage.
 */
export class Pusher implements Taker {
  readonly #consumer: Consumer;
  readonly #push: PushSettings;
  readonly #rules: AddressRules;
  readonly #resolve: Resolve;
  readonly #onGone: (reason: string) => void;
  readonly #closing = new AbortController();
  readonly #attempts: PushAttempt[] = [];
  /** Events that failed since one was accepted. */
  readonly #failed = new Set<number>();
  #failures = 0;
  /** Probes that failed since one was accepted. */
  #probes = 0;
  #active = 0;
  /** Nothing is posted before this time, of `performance.now`. */
  #notBeforeMs = 0;

  constructor({ consumer, push, rules, resolve, onGone }: PusherOptions) {
    this.#consumer = consumer;
    this.#push = push;
    this.#rules = rules;
    this.#resolve = resolve;
    this.#onGone = onGone;
    consumer.addTaker(this);
  }

  get room(): number {
    if (performance.now() < this.#notBeforeMs) return 0;
    return (this.#isDown ? 1 : this.#push.concurrency) - this.#active;
  }

  /** The newest attempts, the newest first. */
  get attempts(): readonly PushAttempt[] {
    return this.#attempts.toReversed();
  }

  give(deliveries: readonly Delivery[]): void {
    for (const one of deliveries) void this.#post(one);
  }

  /** Posts nothing more, and abandons what is under way: it comes again. */
  close(): void {
    this.#consumer.removeTaker(this);
    this.#closing.abort();
  }

  get #isDown(): boolean {
    return this.#failures >= DOWN_AFTER && this.#failed.size > 1;
  }

  async #post(one: Delivery): Promise<void> {
    const isProbe = this.#isDown;
    this.#active++;
    const { signal } = this.#closing;
    const body = one.event?.json ?? JSON.stringify({ type: "gap", ...one.gap });
    const startMs = performance.now();
    const id = `evt_${idOf(one)}_${Bun.hash.crc32(this.#consumer.name).toString(36)}`;
    const headers = signedHeaders(this.#consumer.signingSecrets, id, Math.floor(Date.now() / 1000), body);
    const outcome = await post({
      push: this.#push,
      headers,
      body,
      rules: this.#rules,
      resolve: this.#resolve,
      signal,
    });
    this.#active--;
    if (signal.aborted) this.#consumer.putBack([one.delivery], "", 0);
    else {
      this.#note(one, outcome, performance.now() - startMs);
      this.#settle(one, outcome, isProbe);
      this.#consumer.wake();
    }
  }

  #settle(one: Delivery, { status, error, retryAfterMs }: Outcome, isProbe: boolean): void {
    if (error === undefined) {
      this.#failures = 0;
      this.#probes = 0;
      this.#failed.clear();
      this.#consumer.ack([one.delivery]);
    } else if (status === GONE) {
      this.#consumer.putBack([one.delivery], error, 0);
      this.#onGone(`${error}: it asked for no more events; resume the consumer once it accepts them`);
    } else {
      if (isProbe) this.#probes++;
      this.#fail(one, error, retryAfterMs);
    }
  }

  #fail(one: Delivery, error: string, retryAfterMs: number): void {
    this.#failures++;
    if (this.#failed.size < DOWN_AFTER) this.#failed.add(idOf(one));
    const probeMs = Math.min(MAX_PROBE_MS, FIRST_PROBE_MS * 2 ** this.#probes);
    if (this.#isDown) this.#wait(Math.max(probeMs, retryAfterMs));
    else if (retryAfterMs > 0) this.#wait(retryAfterMs);
    const schedule = retryDelayMs(this.#consumer.settings, one.attempt) * (1 - JITTER + 2 * JITTER * Math.random());
    if (this.#isDown) this.#consumer.putBack([one.delivery], error, retryAfterMs);
    else this.#consumer.nack([one.delivery], error, Math.max(retryAfterMs, Math.round(schedule)));
  }

  #wait(ms: number): void {
    this.#notBeforeMs = performance.now() + ms;
    setTimeout(() => this.#consumer.wake(), ms + 1);
  }

  #note(one: Delivery, { status, error }: Outcome, durationMs: number): void {
    this.#attempts.push({
      event_id: idOf(one),
      attempt: one.attempt,
      at: new Date().toISOString(),
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
