import type { Settled } from "../../protocol/consumer.ts";
import type { Task } from "./task.ts";

/** The tasks that are out, by the name of the attempt, in the order in which they were handed out or extended. */
export class InFlight {
  readonly #run: string;
  readonly #tasks = new Map<string, Task>();
  #count = 0;

  /** `run` begins the name of every delivery. */
  constructor(run: string) {
    this.#run = run;
  }

  get size(): number {
    return this.#tasks.size;
  }

  /** Every delivery that is out. */
  names(): string[] {
    return [...this.#tasks.keys()];
  }

  /** When the first one was handed out or extended; undefined if none is out. */
  get firstMs(): number | undefined {
    return this.#tasks.values().next().value?.atMs;
  }

  /** The task is out from now on; returns the name of the attempt. */
  add(task: Task, nowMs: number): string {
    task.delivery = `${this.#run}-${(++this.#count).toString(36)}`;
    this.extend(task, nowMs);
    return task.delivery;
  }

  /** The time of the attempt starts again now. */
  extend(task: Task, nowMs: number): void {
    task.atMs = nowMs;
    this.#tasks.set(task.delivery, task);
  }

  /** Takes back each of these deliveries and does the work with its task. */
  each(deliveries: readonly string[], work: (task: Task) => void): Settled {
    const unknown: string[] = [];
    for (const delivery of deliveries) {
      const task = this.#tasks.get(delivery);
      this.#tasks.delete(delivery);
      if (task) work(task);
      else unknown.push(delivery);
    }
    return { done: deliveries.length - unknown.length, unknown };
  }

  /** Takes back and returns those that were handed out or extended up to this time. */
  takeUntil(timeMs: number): Task[] {
    const taken: Task[] = [];
    for (const [delivery, task] of this.#tasks) {
      if (task.atMs > timeMs) break;
      this.#tasks.delete(delivery);
      taken.push(task);
    }
    return taken;
  }

  clear(): void {
    this.#tasks.clear();
  }
}
