import { BusError } from "../bus/errors.ts";
import type { Appended, Draft } from "../bus/ports.ts";

/** Events in one transaction, unless a single append brings more: what is committed in one go holds the loop. */
const MAX_GROUP_EVENTS = 4096;
/** Characters of data in one transaction, unless a single append brings more. */
const MAX_GROUP_CHARACTERS = 4 * 1024 * 1024;

/** What one call of `append` wants. */
export interface Append {
  readonly drafts: readonly Draft[];
  readonly idempotencyKey: string | undefined;
}

export type Outcome = { readonly appended: Appended } | { readonly error: BusError };

interface Pending extends Append {
  readonly resolve: (appended: Appended) => void;
  readonly reject: (error: BusError) => void;
}

/**
 * Collects appends as long as each turn of the event loop brings more, so that they share one transaction and one fsync
 * (group commit). A single one waits for nothing but the end of its turn.
 */
export class AppendQueue {
  readonly #commit: (group: readonly Append[]) => readonly Outcome[];
  #pending: Pending[] = [];
  #isScheduled = false;

  /** `commit` answers with an outcome for each append, or throws the `BusError` for all of them. */
  constructor(commit: (group: readonly Append[]) => readonly Outcome[]) {
    this.#commit = commit;
  }

  add(append: Append): Promise<Appended> {
    return new Promise((resolve, reject) => {
      const { drafts, idempotencyKey } = append;
      this.#pending.push({ drafts, idempotencyKey, resolve, reject });
      this.#schedule();
    });
  }

  /** Appends that wait for their commit. */
  get depth(): number {
    return this.#pending.length;
  }

  /** Commits all that waits. */
  drain(): void {
    while (this.#pending.length > 0) this.#flush();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#collect(this.#pending.length);
  }

  /** Waits one turn more after a turn that brought something, but for no more than fits into a transaction. */
  #collect(seen: number): void {
    setImmediate(() => {
      const waiting = this.#pending.length;
      if (waiting > seen && waiting < MAX_GROUP_EVENTS) {
        this.#collect(waiting);
        return;
      }
      this.#isScheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#pending.length === 0) return;
    const group = this.#takeGroup();
    this.#outcomesOf(group).forEach((outcome, index) => {
      if ("appended" in outcome) group[index]?.resolve(outcome.appended);
      else group[index]?.reject(outcome.error);
    });
  }

  #outcomesOf(group: readonly Pending[]): readonly Outcome[] {
    try {
      return this.#commit(group);
    } catch (error) {
      const known = error instanceof BusError ? error : new BusError("internal", "the commit failed", { cause: error });
      return group.map(() => ({ error: known }));
    }
  }

  #takeGroup(): Pending[] {
    let events = 0;
    let characters = 0;
    let count = 0;
    for (const { drafts } of this.#pending) {
      events += drafts.length;
      for (const { data } of drafts) characters += data.length;
      if (count > 0 && (events > MAX_GROUP_EVENTS || characters > MAX_GROUP_CHARACTERS)) break;
      count++;
    }
    const group = this.#pending.slice(0, count);
    this.#pending = this.#pending.slice(count);
    if (this.#pending.length > 0) this.#schedule();
    return group;
  }
}
