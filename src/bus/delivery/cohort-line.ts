import type { Cohort, Member } from "./cohort.ts";
import type { Distance } from "./replays.ts";

/** Cohorts with the same request that can continue, in the order of their positions; no two are at the same one. */
export class CohortLine<M extends Member> {
  /** In descending order: the one furthest behind is last. */
  readonly #cohorts: Cohort<M>[] = [];

  get isEmpty(): boolean {
    return this.#cohorts.length === 0;
  }

  [Symbol.iterator](): IterableIterator<Cohort<M>> {
    return this.#cohorts.values();
  }

  /** Adds a cohort; unites it with the one at the same position, if there is one. */
  add(cohort: Cohort<M>): void {
    const index = this.#indexOf(cohort.position);
    const same = this.#cohorts[index];
    if (same?.position === cohort.position) this.#cohorts[index] = unite(same, cohort);
    else this.#cohorts.splice(index, 0, cohort);
  }

  /** Removes a cohort, if it is there. */
  remove(cohort: Cohort<M>): void {
    const index = this.#indexOf(cohort.position);
    if (this.#cohorts[index] === cohort) this.#cohorts.splice(index, 1);
  }

  /** The cohort furthest behind at this distance; events from `recentFrom` on are read from memory. */
  furthestBehind(distance: Distance, recentFrom: number): Cohort<M> | undefined {
    // From this position on, the next event is read from memory.
    const nearFrom = recentFrom - 1;
    if (distance === "near") return this.#cohorts[this.#indexOf(nearFrom - 1) - 1];
    const last = this.#cohorts.at(-1);
    return last && last.position < nearFrom ? last : undefined;
  }

  /** Removes and returns the one furthest behind at a position between two ids, both inclusive. */
  takeBetween(from: number, to: number): Cohort<M> | undefined {
    const index = this.#indexOf(from - 1) - 1;
    const cohort = this.#cohorts[index];
    if (cohort === undefined || cohort.position > to) return undefined;
    this.#cohorts.splice(index, 1);
    return cohort;
  }

  /** The index of the first cohort at this id or before it. */
  #indexOf(position: number): number {
    let low = 0;
    let high = this.#cohorts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#cohorts[middle]?.position ?? 0) > position) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** The smaller cohort joins the larger one, which takes the greater of the two positions. */
export function unite<M extends Member>(a: Cohort<M>, b: Cohort<M>): Cohort<M> {
  const [large, small] = a.size < b.size ? [b, a] : [a, b];
  large.cursor.moveTo(Math.max(a.position, b.position));
  large.absorb(small);
  return large;
}
