import type { Item, Session, Wish } from "./record.ts";
import { patterns, type Topic } from "./scenario.ts";

/** An event as it was committed. */
export interface Committed {
  readonly topic: Topic;
  readonly json: string;
}

/**
 * Checks the record of one connection against the history, and returns the first thing that breaks the promise.
 *
 * @param history every event ever committed, by id; what was pruned too.
 */
export function findBreach(session: Session, history: ReadonlyMap<number, Committed>): string | undefined {
  const check = new Check(session, history);
  for (const [index, item] of session.items.entries()) {
    const breach = check.pass(item, index);
    if (breach !== undefined) return `item ${index}, ${JSON.stringify(item).slice(0, 200)}: ${breach}`;
  }
  return check.end();
}

class Check {
  readonly #session: Session;
  readonly #history: ReadonlyMap<number, Committed>;
  /** The last id that the subscriber has passed lies between these; they are equal after the first item. */
  #low: number;
  #high: number;
  #isCaughtUp = false;
  #previous: Item | undefined;

  constructor(session: Session, history: ReadonlyMap<number, Committed>) {
    this.#session = session;
    this.#history = history;
    this.#low = session.start.low;
    this.#high = session.start.high;
  }

  pass(item: Item, index: number): string | undefined {
    const breach = this.#passKind(item, index);
    this.#previous = item;
    return breach;
  }

  end(): string | undefined {
    if (!this.#session.isDrained) return undefined;
    if (this.#session.isReplay && !this.#isCaughtUp) return "the end of the replay was never told";
    return this.#advance(Math.max(0, ...this.#history.keys()), this.#session.items.length);
  }

  #passKind(item: Item, index: number): string | undefined {
    switch (item.kind) {
      case "event":
        return this.#passEvent(item.id, item.text, index);
      case "gap":
        return this.#passGap(item, index);
      case "caught_up":
        return this.#passCaughtUp(item.id, index);
      case "passed":
        return this.#advance(item.id, index);
    }
  }

  #passEvent(id: number, text: string, index: number): string | undefined {
    if (id <= this.#low) return `it comes after ${this.#low}: repeated, out of order, or from before the start`;
    const event = this.#history.get(id);
    if (event === undefined) return "no such event was committed";
    if (event.json !== text) return `it was committed as ${event.json.slice(0, 200)}`;
    const mayCome = ({ notUpTo, pattern, endAnswered = Number.POSITIVE_INFINITY }: Wish) =>
      id > notUpTo && index < endAnswered && isIn(pattern, event.topic);
    if (!isIn(this.#session.scope, event.topic)) return "its token may not see it";
    if (!this.#session.wishes.some(mayCome)) return "no pattern asks for it";
    return this.#advance(id - 1, index) ?? this.#advance(id, index, id);
  }

  #passGap({ after, next, floor }: Item & { kind: "gap" }, index: number): string | undefined {
    if (next <= after + 1) return "there is nothing between its ids";
    if (next > floor) return `the oldest event kept then was ${floor}: more is said to be gone than is`;
    if (this.#previous?.kind === "gap" && this.#previous.next > after) return "it goes on from another gap";
    const isAtStart = this.#previous === undefined && after >= this.#session.start.gapLow;
    const breach = isAtStart && after < this.#low ? undefined : this.#advance(after, index);
    this.#low = this.#high = next - 1;
    return breach;
  }

  #passCaughtUp(id: number, index: number): string | undefined {
    if (!this.#session.isReplay) return "no replay was asked for";
    if (this.#isCaughtUp) return "it was told before";
    this.#isCaughtUp = true;
    return this.#advance(id, index);
  }

  /** The subscriber has passed everything up to `to`: nothing that it should get may lie there, except `received`. */
  #advance(to: number, index: number, received?: number): string | undefined {
    if (to < this.#low)
      return this.#isNewestSeen(to) ? undefined : `it lies before ${this.#low}, which has been passed`;
    const from = Math.min(this.#high, to);
    this.#low = this.#high = to;
    for (let id = from + 1; id <= to; id++) {
      if (id !== received && this.#mustHaveCome(id, index)) return `event ${id} was skipped`;
    }
    return undefined;
  }

  /** A subscriber of limited scope gets the newest id within its scope, and not the head of the bus. */
  #isNewestSeen(id: number): boolean {
    for (let hidden = id + 1; hidden <= this.#low; hidden++) {
      const topic = this.#history.get(hidden)?.topic;
      if (topic === undefined || isIn(this.#session.scope, topic)) return false;
    }
    return true;
  }

  #mustHaveCome(id: number, index: number): boolean {
    const event = this.#history.get(id);
    if (event === undefined || !isIn(this.#session.scope, event.topic)) return false;
    return this.#session.wishes.some(({ pattern, surelyAfter, endAsked = Number.POSITIVE_INFINITY }) => {
      return id > surelyAfter && index < endAsked && isIn(pattern, event.topic);
    });
  }
}

export function isIn(pattern: keyof typeof patterns, topic: Topic): boolean {
  return (patterns[pattern] as readonly Topic[]).includes(topic);
}
