import type { TaskRecord } from "./ports.ts";
import type { DeadTask, Task } from "./task.ts";

/** Two clocks, in milliseconds. */
export interface Clocks {
  /** Since 1970: for what is stored. */
  readonly wall: () => number;
  /** Since any moment; never jumps: for durations. */
  readonly monotonic: () => number;
}

/** What a save writes. */
export interface Changes {
  readonly place: number;
  readonly put: readonly TaskRecord[];
  readonly removed: readonly number[];
}

/** Which rows of a consumer the next save must write, and which it must remove. */
export class Rows {
  readonly #clocks: Clocks;
  readonly #changed = new Map<number, Task | DeadTask>();
  #removed: number[] = [];
  #last = 0;

  constructor(clocks: Clocks) {
    this.#clocks = clocks;
  }

  get isDirty(): boolean {
    return this.#changed.size > 0 || this.#removed.length > 0;
  }

  /** The row was in the store when it was opened. */
  loaded({ row }: TaskRecord): void {
    this.#last = Math.max(this.#last, row);
  }

  /** Writes the row of the task; gives it one if it has none. */
  put(task: Task | DeadTask): void {
    if (task.row === 0) task.row = ++this.#last;
    this.#changed.set(task.row, task);
  }

  /** Removes the row of the task, if it has one. */
  drop({ row }: Task): void {
    if (row === 0) return;
    this.#changed.delete(row);
    this.#removed.push(row);
  }

  /** What has changed since the last call of `saved`. */
  changes(): Omit<Changes, "place"> {
    return { put: [...this.#changed.values()].map((task) => this.#recordOf(task)), removed: this.#removed };
  }

  saved(): void {
    this.#changed.clear();
    this.#removed = [];
  }

  #recordOf(task: Task | DeadTask): TaskRecord {
    const { row, id, gap, lane, laneFrom, attempts, reason } = task;
    const isDead = "deadAtMs" in task;
    const atMs = isDead ? task.deadAtMs : this.#dueMs(task);
    return { row, id, gap, lane, laneFrom, isDead, attempts, reason, atMs };
  }

  /** What is out now is due at once if the process dies. */
  #dueMs({ delivery, atMs }: Task): number {
    const { wall, monotonic } = this.#clocks;
    return delivery === "" ? Math.round(wall() + atMs - monotonic()) : wall();
  }
}

/** The heads of lanes first, the earliest of a lane before the others. */
export function inLoadOrder(tasks: readonly TaskRecord[]): TaskRecord[] {
  const key = ({ laneFrom }: TaskRecord) => (laneFrom === 0 ? Number.POSITIVE_INFINITY : laneFrom);
  return [...tasks].sort((a, b) => (key(a) === key(b) ? a.row - b.row : key(a) - key(b)));
}
