/** What was found counts less by this factor with each page that follows. */
const KEPT = 0.5;
/** When all groups together have passed this many slices, half of what they found is forgotten. */
const REMEMBERED_SLICES = 16;

/** How common the events that any group wants are, from what all groups have found recently. */
export class AllFinds {
  /** What a group is taken to have passed before its first page, with what groups find on average. */
  readonly priorEvents: number;
  readonly #rememberedEvents: number;
  #found = 1;
  #passed: number;

  /** At first, a group is taken to want one event in a slice: a thousand groups share one, a few do not. */
  constructor(sliceEvents: number) {
    this.priorEvents = sliceEvents / 2;
    this.#rememberedEvents = REMEMBERED_SLICES * sliceEvents;
    this.#passed = sliceEvents;
  }

  /** The part of all events that a group wants on average, from 0 to 1. */
  get share(): number {
    return this.#found / this.#passed;
  }

  /** A group has found this many events in a range of ids. */
  add(found: number, passed: number): void {
    this.#found += found;
    this.#passed += passed;
    if (this.#passed <= this.#rememberedEvents) return;
    this.#found /= 2;
    this.#passed /= 2;
  }
}

/** How common the events that a group wants are, from what it has found recently, and at first from what others have. */
export class Finds {
  readonly #all: AllFinds;
  #found = 0;
  #passed = 0;

  constructor(all: AllFinds) {
    this.#all = all;
  }

  /** The part of all events that it most likely wants, from 0 to 1. */
  get share(): number {
    const { share, priorEvents } = this.#all;
    return (this.#found + priorEvents * share) / (this.#passed + priorEvents);
  }

  /** It has found this many events in a range of ids. */
  add(found: number, passed: number): void {
    this.#found = this.#found * KEPT + found;
    this.#passed = this.#passed * KEPT + passed;
    this.#all.add(found, passed);
  }
}
