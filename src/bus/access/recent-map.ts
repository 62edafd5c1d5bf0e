/**
 * A map that keeps what was used lately, at most so many entries and at least the newest half of them.
 *
 * There are two generations: what is set or found goes into the new one, and when that is full it takes the place of
 * the old one. So nothing is ever cleared at once that is still in use, and a hit costs no more than in a plain map.
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
