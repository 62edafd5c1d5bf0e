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

interface Pending {
  readonly append: Append;
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
  add(append: Append): Promise<Appended> {
    // Allocates less than half of what `new Promise` does with a function that takes its resolvers out.
    const answer = Promise.withResolvers<Appended>();
    this.#pending.push({ append, answer });
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
    this.#pending = this.#pending.filter(({ append, answer }, index) => {
      if (index < this.#asked || append.isAbandoned?.() !== true) return true;
      answer.reject(new DOMException("abandoned before the commit", "AbortError"));
      return false;
    });
    this.#asked = this.#pending.length;
  }

  #flush(): void {
    if (this.#pending.length === 0) return;
    const count = this.#groupSize();
    const group = this.#pending.slice(0, count);
    this.#pending = this.#pending.slice(count);
    this.#asked = Math.max(0, this.#asked - count);
    if (this.#pending.length > 0) this.#schedule();
    this.#outcomesOf(group.map(({ append }) => append)).forEach((outcome, index) => {
      if ("appended" in outcome) group[index]?.answer.resolve(outcome.appended);
      else group[index]?.answer.reject(outcome.error);
    });
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
    for (const { append } of this.#pending) {
      const { drafts } = append;
      events += drafts.length;
      for (const { data } of drafts) characters += data.length;
      if (count > 0 && (events > MAX_GROUP_EVENTS || characters > MAX_GROUP_CHARACTERS)) break;
      count++;
    }
    return count;
  }
}
