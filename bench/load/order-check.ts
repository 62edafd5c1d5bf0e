/** Checks that the ids of the events on one connection rise by one. */
export class OrderCheck {
  /** The first fault, in words; empty while there is none. */
  fault = "";
  #last: number | undefined;

  see(text: string): void {
    const [, digits] = /^\{"id":(\d+)/.exec(text) ?? [];
    if (digits === undefined) return;
    const id = Number(digits);
    if (this.#last !== undefined && id !== this.#last + 1) this.fault ||= `${id} came after ${this.#last}`;
    this.#last = id;
  }
}
