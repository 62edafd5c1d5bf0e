import { BusError } from "../bus/errors.ts";
import type { Appended, Draft } from "../bus/ports.ts";

/** Events in one transaction, unless a single append has more: a commit blocks the loop. */
const MAX_GROUP_EVENTS = 4096;
/** Characters of data in one transaction, unless a single append has more. */
const MAX_GROUP_CHARACTERS = 4 * 1024 * 1024;

/** One call of `append`. */
export interface Append {
  readonly drafts: readonly Draft[];
  readonly idempotencyKey: string | undefined;
  /** Called once, at the end of the turn that brought the append; if it returns true, nothing is committed. */
  readonly isAbandoned: (() => boolean) | undefined;
}

export type Outcome = { readonly appended: Appended } | { readonly error: BusError };

interface Pending extends Append {
  readonly answer: PromiseWithResolvers<Appended>;
}

/**
 * Collects appends as long as each turn of the event loop brings more, so that they share one transaction and one fsync
 * (group commit). A single append waits only for the end of its turn.
 */
export class AppendQueue {
  readonly #commit: (group: readonly Append[]) => readonly Outcome[];
  #pending: Pending[] = [];
  /** How many of the pending appends, from the first one on, were asked whether they are abandoned. */
  #asked = 0;
  #isScheduled = false;

  /** `commit` returns an outcome for each append, or throws the `BusError` for all of them. */
  constructor(commit: (group: readonly Append[]) => readonly Outcome[]) {
    this.#commit = commit;
  }

  /**
   * Resolves once the append is committed. Rejects with what `commit` throws, or with an `AbortError` if it is
   * abandoned.
   */
  add({ drafts, idempotencyKey, isAbandoned }: Append): Promise<Appended> {
    // Allocates less than half of what `new Promise` does with a function that takes its resolvers out.
    const answer = Promise.withResolvers<Appended>();
    this.#pending.push({ drafts, idempotencyKey, isAbandoned, answer });
    this.#schedule();
    return answer.promise;
  }

  /** Appends that are waiting for their commit. */
  get depth(): number {
    return this.#pending.length;
  }

  /** Commits all waiting appends. */
  drain(): void {
    while (this.#pending.length > 0) this.#flush();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#collect(this.#pending.length);
  }

  /** Waits one more turn after a turn that brought something, until a transaction is full. */
  #collect(seen: number): void {
    setImmediate(() => {
      this.#dropAbandoned();
      const waiting = this.#pending.length;
      if (waiting > seen && waiting < MAX_GROUP_EVENTS) {
        this.#collect(waiting);
        return;
      }
      this.#isScheduled = false;
      this.#flush();
    });
  }

  #dropAbandoned(): void {
    const isGone = this.#pending.map(({ isAbandoned }, index) => index >= this.#asked && isAbandoned?.() === true);
    if (isGone.includes(true)) {
      for (const [index, { answer }] of this.#pending.entries()) {
        if (isGone[index]) answer.reject(new DOMException("abandoned before the commit", "AbortError"));
      }
      this.#pending = this.#pending.filter((_, index) => !isGone[index]);
    }
    this.#asked = this.#pending.length;
  }

  #flush(): void {
    if (this.#pending.length === 0) return;
    const group = this.#pending;
    this.#pending = group.splice(this.#groupSize());
    this.#asked = Math.max(0, this.#asked - group.length);
    if (this.#pending.length > 0) this.#schedule();
    const outcomes = this.#outcomesOf(group);
    for (const [index, { answer }] of group.entries()) {
      const outcome = outcomes[index];
      if (outcome === undefined) continue;
      if ("appended" in outcome) answer.resolve(outcome.appended);
      else answer.reject(outcome.error);
    }
  }

  #outcomesOf(group: readonly Append[]): readonly Outcome[] {
    try {
      return this.#commit(group);
    } catch (error) {
      const known = error instanceof BusError ? error : new BusError("internal", "the commit failed", { cause: error });
      return group.map(() => ({ error: known }));
    }
  }

  /** How many of the appends, from the first one on, share the next transaction; at least one. */
  #groupSize(): number {
    if (this.#pending.length === 1) return 1;
    let events = 0;
    let characters = 0;
    let count = 0;
    for (const { drafts } of this.#pending) {
      events += drafts.length;
      for (const { data } of drafts) characters += data.length;
      if (count > 0 && (events > MAX_GROUP_EVENTS || characters > MAX_GROUP_CHARACTERS)) break;
      count++;
    }
    return count;
  }
}
