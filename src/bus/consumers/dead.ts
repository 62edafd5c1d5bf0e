import type { DeadTask } from "./task.ts";

/** Events given up at which the consumer is paused: none is ever dropped to make room. */
export const MAX_DEAD = 100_000;

/** The events that a consumer has given up. */
export class DeadTasks {
  readonly #byRow = new Map<number, DeadTask>();

  get size(): number {
    return this.#byRow.size;
  }

  add(task: DeadTask): void {
    this.#byRow.set(task.row, task);
  }

  /** Those after this id, by id. */
  page(after: number, limit: number): DeadTask[] {
    const later = [...this.#byRow.values()].filter(({ id }) => id > after);
    return later.sort((a, b) => a.id - b.id).slice(0, limit);
  }

  /** Removes and returns those with these ids; all of them if that is undefined. */
  take(ids: ReadonlySet<number> | undefined): DeadTask[] {
    const taken = [...this.#byRow.values()].filter(({ id }) => ids === undefined || ids.has(id));
    for (const { row } of taken) this.#byRow.delete(row);
    return taken;
  }
}
