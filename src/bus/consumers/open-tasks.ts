import type { Task } from "./task.ts";

/** The tasks that are not settled. */
export class OpenTasks extends Set<Task> {
  readonly #retried = new Set<Task>();

  /** The first id that is not settled; undefined if there is none. */
  get firstId(): number | undefined {
    return firstOf(this);
  }

  /** The first id that is not settled and has no row; undefined if there is none. */
  get firstWithoutRow(): number | undefined {
    return firstOf(this.values().filter(({ row }) => row === 0));
  }

  /** How many have failed, or could not be tried, and wait for another attempt. */
  get retrying(): number {
    return this.#retried.size;
  }

  /** The task is not out, and may have been tried. */
  waits(task: Task): void {
    if (task.attempts > 0 || task.reason !== "") this.#retried.add(task);
  }

  /** The task is out. */
  handedOut(task: Task): void {
    this.#retried.delete(task);
  }

  override add(task: Task): this {
    this.waits(task);
    return super.add(task);
  }

  override delete(task: Task): boolean {
    this.#retried.delete(task);
    return super.delete(task);
  }

  override clear(): void {
    this.#retried.clear();
    super.clear();
  }
}

function firstOf(tasks: Iterable<Task>): number | undefined {
  let first: number | undefined;
  for (const { id } of tasks) if (first === undefined || id < first) first = id;
  return first;
}
