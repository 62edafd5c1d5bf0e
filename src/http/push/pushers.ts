import type { Consumer } from "../../bus/consumers/consumer.ts";
import type { Consumers } from "../../bus/consumers/consumers.ts";
import type { PushAttempt } from "../../protocol/consumer.ts";
import { type AddressRules, type Resolve, resolveBySystem } from "./addresses.ts";
import { Pusher } from "./pusher.ts";

export interface PushersOptions {
  readonly consumers: Consumers;
  readonly rules: AddressRules;
  /** Default: as the system does. */
  readonly resolve?: Resolve;
  /** The monotonic clock, in milliseconds. Default: that of the process. */
  readonly now?: () => number;
}

/** One pusher for each consumer that has an endpoint. */
export class Pushers {
  readonly #consumers: Consumers;
  readonly #rules: AddressRules;
  readonly #resolve: Resolve;
  readonly #now: () => number;
  readonly #byName = new Map<string, { readonly pusher: Pusher; readonly push: string }>();
  #isClosed = false;

  constructor({ consumers, rules, resolve = resolveBySystem, now = () => performance.now() }: PushersOptions) {
    this.#consumers = consumers;
    this.#rules = rules;
    this.#resolve = resolve;
    this.#now = now;
    for (const consumer of consumers.all()) this.#follow(consumer.name, consumer);
    consumers.onSettings((name, consumer) => this.#follow(name, consumer));
  }

  /** The latest attempts of a consumer, newest first. */
  attempts(name: string): readonly PushAttempt[] {
    return this.#byName.get(name)?.pusher.attempts ?? [];
  }

  /** Posts nothing more, and abandons what is under way. */
  close(): void {
    this.#isClosed = true;
    for (const { pusher } of this.#byName.values()) pusher.close();
    this.#byName.clear();
  }

  /** Another endpoint gets another pusher. */
  #follow(name: string, consumer: Consumer | undefined): void {
    if (this.#isClosed) return;
    const push = consumer?.settings.push;
    const text = JSON.stringify(push ?? null);
    const known = this.#byName.get(name);
    if (known?.push === text) return;
    known?.pusher.close();
    this.#byName.delete(name);
    if (consumer === undefined || push === undefined) return;
    const onGone = (reason: string) => this.#consumers.stop(consumer, reason);
    const pusher = new Pusher({
      consumer,
      push,
      rules: this.#rules,
      resolve: this.#resolve,
      now: this.#now,
      onGone,
    });
    this.#byName.set(name, { pusher, push: text });
  }
}
