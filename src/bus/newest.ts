import type { EventLog, TopicMatcher } from "./ports.ts";

/**
 * The newest event that readers with a limited scope may know of, found by bounded reads.
 *
 * The id of an event outside the scope must not be reported to them. An id older than the newest is still correct: no
 * event of the scope after it is skipped.
 */
export class NewestInScope {
  readonly #log: EventLog;
  readonly #scope: TopicMatcher;
  #id = 0;
  /** No event of the scope lies between `#id` and this id. */
  #searchedTo = -1;
  /** The search downwards from the newest id to the newest event of the scope. */
  #search: { readonly from: number; before: number } | undefined;

  constructor(log: EventLog, scope: TopicMatcher) {
    this.#log = log;
    this.#scope = scope;
  }

  /** The newest id to report that is not behind an event up to `from`; undefined while unknown. Never decreases. */
  idFor(from: number): number | undefined {
    if (this.#searchedTo < from) return undefined;
    // Never before the floor: otherwise a gap would be reported to a reader that resumes from it.
    return Math.max(this.#id, this.#log.floor - 1);
  }

  /** This event was delivered to the readers. */
  passed(id: number): void {
    if (id <= this.#searchedTo) return;
    this.#id = id;
    this.#searchedTo = id;
    if (this.#search && this.#search.from <= id) this.#search = undefined;
  }

  /** Searches one more bounded range. */
  look(): void {
    const { head } = this.#log;
    if (this.#search === undefined && head <= this.#searchedTo) return;
    this.#search ??= { from: head, before: head + 1 };
    const { events, damaged, end, done } = this.#log.readBack({ topics: this.#scope }, this.#search.before, 1);
    const found = Math.max(0, events[0]?.id ?? 0, damaged.at(-1) ?? 0);
    this.#search.before = end;
    if (found === 0 && !done && end > this.#id) return;
    this.#id = Math.max(this.#id, found);
    this.#searchedTo = Math.max(this.#searchedTo, this.#search.from);
    this.#search = undefined;
  }
}
