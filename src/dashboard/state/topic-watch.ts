import { EventBusError, type TopicSummary } from "../../client/index.ts";
import { isUnreachable } from "./answer.ts";
import type { Session } from "./session.ts";
import { Store } from "./store.ts";
import { TopicRates, type WatchedTopic } from "./topic-rates.ts";

/** Between two questions, in milliseconds. */
const POLL_MS = 2000;
/** After the server has rejected a request or has not responded. */
const FAILED_POLL_MS = 30_000;
/** A server that takes long to answer is asked more rarely: it shall spend no more than this part of its time on it. */
const LOAD_SHARE = 0.02;
/** Topics on a page: all that are asked for and shown at a time, as more lines make the page slow. */
export const PAGE_TOPICS = 1000;

/** Which topics are looked at. */
export interface TopicQuestion {
  /** A part of the topic, or a pattern of the whole topic; empty for all. */
  readonly find: string;
  /** Only those whose name comes after this one; empty for the first page. */
  readonly after: string;
}

/** A page of topics. */
export interface TopicAnswer {
  readonly question: TopicQuestion;
  /** By name. */
  readonly topics: readonly WatchedTopic[];
  /** There are more after these. */
  readonly hasMore: boolean;
}

/** Asks for a page of topics from the moment somebody first wants to see one, so that the curves have no gaps. */
export class TopicWatch extends Store {
  readonly #session: Session;
  readonly #rates = new TopicRates();
  #question: TopicQuestion | undefined;
  #answer: TopicAnswer | undefined;
  #error: EventBusError | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isAsking = false;
  #poll = new AbortController();

  constructor(session: Session) {
    super();
    this.#session = session;
    session.onChange(() => void this.#ask());
  }

  /** Undefined before the first answer; of the question before, until the next answer is there. */
  get answer(): TopicAnswer | undefined {
    return this.#answer;
  }

  get error(): EventBusError | undefined {
    return this.#error;
  }

  /** What is asked since `ask` has no answer yet; the answer and the error are of the question before. */
  get isAsking(): boolean {
    return this.#isAsking;
  }

  /** Asks this from now on, at once if it is not what is asked already. */
  ask(question: TopicQuestion): void {
    if (isSame(question, this.#question)) return;
    this.#question = question;
    this.#isAsking = true;
    void this.#ask();
    this.changed();
  }

  /** Asks at once, if the last question found no server and the next one is not under way. */
  retry(): void {
    if (isUnreachable(this.#error) && this.#timer !== undefined) void this.#ask();
  }

  async #ask(): Promise<void> {
    const question = this.#question;
    if (question === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#poll.abort();
    this.#poll = new AbortController();
    const { signal } = this.#poll;
    const startedMs = performance.now();
    try {
      const found = await this.#page(question, signal);
      if (signal.aborted) return;
      this.#take(question, found);
      this.#error = undefined;
    } catch (error) {
      if (!(error instanceof EventBusError)) throw error;
      this.#session.note(error);
      // Another poll goes on, with another question or another token.
      if (signal.aborted || error.code === "closed") return;
      this.#error = error;
    }
    this.#isAsking = false;
    this.#timer = setTimeout(() => void this.#ask(), this.#pauseMs(performance.now() - startedMs));
    this.changed();
  }

  /** One topic more than a page has, if there is one. */
  async #page({ find, after }: TopicQuestion, signal: AbortSignal): Promise<readonly TopicSummary[]> {
    const options = { after: after || undefined, limit: PAGE_TOPICS + 1, signal };
    const { value } = await this.#session.client.topicPages(patternOf(find), options).next();
    return value ?? [];
  }

  /** How long a failure took says nothing of the server's load: most of it is waiting for a server that is away. */
  #pauseMs(tookMs: number): number {
    return this.#error === undefined ? Math.max(POLL_MS, tookMs / LOAD_SHARE) : FAILED_POLL_MS;
  }

  #take(question: TopicQuestion, found: readonly TopicSummary[]): void {
    const hasMore = found.length > PAGE_TOPICS;
    // On a page that is followed by others, what is not known may have moved there from another page.
    const isUnknownNew = isSame(question, this.#answer?.question) && this.#answer?.hasMore === false;
    const topics = this.#rates.take(found.slice(0, PAGE_TOPICS), performance.now(), isUnknownNew);
    this.#answer = { question, topics, hasMore };
  }
}

/** What has no special character may stand anywhere in the topic. */
function patternOf(find: string): string {
  if (find === "") return "*";
  return /[*?[\]{}\\]/.test(find) ? find : `*${find}*`;
}

function isSame(one: TopicQuestion, other: TopicQuestion | undefined): boolean {
  return one.find === other?.find && one.after === other.after;
}
