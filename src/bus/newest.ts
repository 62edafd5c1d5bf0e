import type { EventLog, TopicMatcher } from "./ports.ts";

/**
 * The newest event that readers of a limited scope may know of, found by bounded reads.
 *
 * An id of another event must not be reported to them. One that is older than the newest is right all the same: nothing
 * of the scope that follows it was passed unseen.
 */
export class NewestInScope {
  readonly #log: EventLog;
  readonly #scope: TopicMatcher;
  #id = 0;
  /** No event of the scope lies between `#id` and this id. */
  #searchedTo = -1;
  /** On the way down from the newest id to the newest of the scope. */
  #search: { readonly from: number; before: number } | undefined;

  constructor(log: EventLog, scope: TopicMatcher) {
    this.#log = log;
    this.#scope = scope;
  }

  /** The newest id to report that is not behind an event up to `from`; undefined while it is not known. Never goes back. */
  idFor(from: number): number | undefined {
    if (this.#searchedTo < from) return undefined;
    // Never before the gap at the beginning of the history, which would be reported to who resumes there.
    return Math.max(this.#id, this.#log.floor - 1);
  }

  /** The readers were given this event. */
  passed(id: number): void {
    if (id <= this.#searchedTo) return;
    this.#id = id;
    this.#searchedTo = id;
    if (this.#search && this.#search.from <= id) this.#search = undefined;
  }

  /** Searches one bounded stretch more. */
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
