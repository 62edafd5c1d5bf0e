/** Things that are remembered by name; of more than these the first ones tell enough. */
const MAX_NOTES = 1000;
const SHOWN_NOTES = 5;

/** What was found damaged. Each thing is told once, the first thousand of them. */
export class Damage {
  readonly #notes = new Set<string>();
  readonly #onDamage: (detail: string) => void;
  /** Things found beyond those that were told. */
  untold = 0;

  constructor(onDamage: (detail: string) => void) {
    this.#onDamage = onDamage;
  }

  get isFound(): boolean {
    return this.#notes.size > 0;
  }

  /** The first things found, in words; empty when nothing was. */
  get summary(): string {
    const more = this.#notes.size > SHOWN_NOTES ? "; …" : "";
    return [...this.#notes].slice(0, SHOWN_NOTES).join("; ") + more;
  }

  note(detail: string): void {
    if (this.#notes.has(detail)) return;
    if (this.#notes.size >= MAX_NOTES) {
      this.untold++;
      return;
    }
    this.#notes.add(detail);
    this.#onDamage(detail);
  }
}
