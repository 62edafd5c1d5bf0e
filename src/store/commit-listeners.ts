import type { Event } from "../bus/event.ts";

type Listener = (batch: readonly Event[]) => void;

/** Who is told of every commit. */
export class CommitListeners {
  readonly #listeners: Listener[] = [];

  add(listener: Listener): void {
    this.#listeners.push(listener);
  }

  /** Calls each, in order. What one throws is its own fault, and is thrown to nobody: the others, and the publishers, go on. */
  call(batch: readonly Event[]): void {
    for (const listener of this.#listeners) {
      try {
        listener(batch);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
