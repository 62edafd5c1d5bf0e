import type { Task } from "./task.ts";

/** Tasks by the time at which they are due, and then by id: a binary heap. */
export class DueQueue {
  readonly #heap: Task[] = [];

  get size(): number {
    return this.#heap.length;
  }

  /** When the first one is due, in milliseconds of the monotonic clock; undefined if there is none. */
  get nextMs(): number | undefined {
    return this.#heap[0]?.atMs;
  }

  push(task: Task): void {
    const heap = this.#heap;
    let at = heap.push(task) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(task, heap[parent])) break;
      this.#move(parent, at);
      at = parent;
    }
    heap[at] = task;
  }

  /** Removes and returns the first one if it is due. */
  popDue(nowMs: number): Task | undefined {
    const first = this.#heap[0];
    if (first === undefined || first.atMs > nowMs) return undefined;
    const last = this.#heap.pop();
    if (last !== undefined && last !== first) this.#sink(last);
    return first;
  }

  clear(): void {
    this.#heap.length = 0;
  }

  /** Puts the task in the place of the first one. */
  #sink(task: Task): void {
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      if (left >= this.#heap.length) break;
      const child = isBefore(this.#heap[left + 1], this.#heap[left]) ? left + 1 : left;
      if (!isBefore(this.#heap[child], task)) break;
      this.#move(child, at);
      at = child;
    }
    this.#heap[at] = task;
  }

  #move(from: number, to: number): void {
    const task = this.#heap[from];
    if (task !== undefined) this.#heap[to] = task;
  }
}

function isBefore(one: Task | undefined, other: Task | undefined): boolean {
  if (one === undefined || other === undefined) return false;
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.id < other.id);
}
