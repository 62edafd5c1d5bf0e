import type { ConsumerInfo, PushAttempt } from "../../client/index.ts";
import { type Rated, Rates } from "./rates.ts";
import type { Session } from "./session.ts";
import { Watch } from "./watch.ts";

/** The rate is that of acknowledging. */
export type WatchedConsumer = Rated<ConsumerInfo>;

/** Large, as their state is in the memory of the server. */
const LOAD_SHARE = 0.5;

/** All consumers, or the one with this name. */
export interface ConsumerQuestion {
  readonly name: string | undefined;
}

export interface ConsumerAnswer {
  readonly question: ConsumerQuestion;
  readonly consumers: readonly WatchedConsumer[];
  /** The latest attempts of the consumer that was asked for, newest first. */
  readonly attempts: readonly PushAttempt[];
}

/** Requests all consumers, or one with its attempts, again and again. */
export class ConsumerWatch extends Watch<ConsumerQuestion, ConsumerAnswer> {
  readonly #rates = new Rates<ConsumerInfo>(({ name, acknowledged }) => [name, acknowledged]);

  constructor(session: Session) {
    super(session, LOAD_SHARE);
  }

  protected isSame(one: ConsumerQuestion, other: ConsumerQuestion): boolean {
    return one.name === other.name;
  }

  protected async load(question: ConsumerQuestion, signal: AbortSignal): Promise<ConsumerAnswer> {
    const { name } = question;
    const { consumers: calls } = this.session.client;
    const found = name === undefined ? await calls.list({ signal }) : [await calls.get(name, { signal })];
    const isPushing = name !== undefined && found[0]?.push != null;
    const attempts = isPushing ? await calls.attempts(name, { signal }) : [];
    if (signal.aborted) return { question, consumers: [], attempts };
    // In two lists, one after the other, what the first does not have is new.
    const isUnknownNew = name === undefined && this.answer !== undefined && this.isSame(question, this.answer.question);
    return { question, consumers: this.#rates.take(found, performance.now(), isUnknownNew), attempts };
  }
}
