/** Damages that are remembered by name; more would add nothing. */
const MAX_NOTES = 1000;
const SHOWN_NOTES = 5;

/** The damage that was found. Each damage is reported once, up to a thousand of them. */
export class Damage {
  readonly #notes = new Set<string>();
  readonly #onDamage: (detail: string) => void;
  /** Damages found beyond those that were reported. */
  unlisted = 0;

  constructor(onDamage: (detail: string) => void) {
    this.#onDamage = onDamage;
  }

  get isFound(): boolean {
    return this.#notes.size > 0;
  }

  /** The first damages found, in words; empty if there are none. */
  get summary(): string {
    const more = this.#notes.size > SHOWN_NOTES ? "; …" : "";
    return [...this.#notes].slice(0, SHOWN_NOTES).join("; ") + more;
  }

  note(detail: string): void {
    if (this.#notes.has(detail)) return;
    if (this.#notes.size >= MAX_NOTES) {
      this.unlisted++;
      return;
    }
    this.#notes.add(detail);
    this.#onDamage(detail);
  }
}
