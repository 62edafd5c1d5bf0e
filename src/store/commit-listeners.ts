import type { Event } from "../bus/event.ts";

type Listener = (batch: readonly Event[]) => void;

/** The listeners of every commit. */
export class CommitListeners {
  readonly #listeners: Listener[] = [];

  add(listener: Listener): void {
    this.#listeners.push(listener);
  }

  /**
   * Calls each, in order. What a listener throws is ignored: it affects neither the other listeners nor the publishers.
   */
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
