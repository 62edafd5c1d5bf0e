/** What publishers know: each value is published under one name, and must be stored once if it was acknowledged. */
export class Record {
  /** Id by value. */
  readonly acknowledged = new Map<string, number>();
  /** Values that were sent at least once. */
  readonly sent = new Set<string>();
  /** Acknowledgements that contradict one another. */
  readonly contradictions: string[] = [];

  acknowledge(value: string, id: number): void {
    const before = this.acknowledged.get(value);
    if (before !== undefined && before !== id)
      this.contradictions.push(`${value} was acknowledged as ${before} and ${id}`);
    this.acknowledged.set(value, id);
  }
}

/** What a subscriber got: lines of JSON, by their ids. */
export class Received {
  readonly name: string;
  readonly lines = new Map<number, string>();
  /** What was wrong with the first event that was out of order. */
  breach: string | undefined;
  #last = 0;

  constructor(name: string) {
    this.name = name;
  }

  /** The id to resume after. */
  get last(): number {
    return this.#last;
  }

  /** Takes an event of a subscriber to every topic, from the first event on. */
  take(line: string): void {
    const { id }: { id: number } = JSON.parse(line);
    if (id !== this.#last + 1) this.breach ??= `${this.name} got ${id} after ${this.#last}`;
    this.#last = id;
    this.lines.set(id, line);
  }
}
