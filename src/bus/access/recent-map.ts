/**
 * A map of the most recently used entries: at most a given number of them, and at least the newest half.
 *
 * There are two generations: entries that are set or found go into the new one, which replaces the old one when it is
 * full. So entries in use are never cleared all at once, and a hit costs no more than in a plain map.
 */
export class RecentMap<K, V> {
  readonly #maxGeneration: number;
  #new = new Map<K, V>();
  #old = new Map<K, V>();

  constructor(maxEntries: number) {
    this.#maxGeneration = Math.ceil(maxEntries / 2);
  }

  get(key: K): V | undefined {
    const value = this.#new.get(key);
    if (value !== undefined) return value;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: K, value: V): void {
    if (this.#new.size >= this.#maxGeneration) {
      this.#old = this.#new;
      this.#new = new Map();
    }
    this.#new.set(key, value);
  }

  clear(): void {
    this.#new.clear();
    this.#old.clear();
  }
}
