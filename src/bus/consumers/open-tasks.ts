import type { Task } from "./task.ts";

/** The tasks that are not settled. */
export class OpenTasks extends Set<Task> {
  /** The first id that is not settled; undefined if there is none. */
  get firstId(): number | undefined {
    return firstOf(this);
  }

  /** The first id that is not settled and has no row; undefined if there is none. */
  get firstWithoutRow(): number | undefined {
    return firstOf(this.values().filter(({ row }) => row === 0));
  }

  /** How many have failed, or could not be tried, and wait for another attempt; without those in `settled`. */
  retrying(settled: readonly Task[]): number {
    const waiting = this.values().filter(({ delivery, attempts, reason }) => {
      return delivery === "" && (attempts > 0 || reason !== "");
    });
    return waiting.reduce((sum, task) => sum + (settled.includes(task) ? 0 : 1), 0);
  }
}

function firstOf(tasks: Iterable<Task>): number | undefined {
  let first: number | undefined;
  for (const { id } of tasks) if (first === undefined || id < first) first = id;
  return first;
}
