import { Store } from "./store.ts";

export interface Entry {
  readonly atMs: number;
  readonly mood: "good" | "bad" | "plain";
  readonly words: string;
}

/** Enough for a bad day; the oldest entries are dropped. */
const MAX_ENTRIES = 200;

/** The history of the connection, newest first. */
export class Journal extends Store {
  #entries: readonly Entry[] = [];

  get entries(): readonly Entry[] {
    return this.#entries;
  }

  add(mood: Entry["mood"], words: string): void {
    this.#entries = [{ atMs: Date.now(), mood, words }, ...this.#entries.slice(0, MAX_ENTRIES - 1)];
    this.changed();
  }
}
