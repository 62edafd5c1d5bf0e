import { EventBusError, type TopicSummary } from "../../client/index.ts";
import { isUnreachable } from "./answer.ts";
import type { Session } from "./session.ts";
import { Store } from "./store.ts";
import { TopicRates, type WatchedTopic } from "./topic-rates.ts";

/** Time between two requests, in milliseconds. */
const POLL_MS = 2000;
/** After the server has rejected a request or has not responded. */
const FAILED_POLL_MS = 30_000;
/** A slow server is asked less often, so that it spends at most this part of its time on these requests. */
const LOAD_SHARE = 0.02;
/** Topics per page: as many as are requested and shown at a time. More lines make the page slow. */
export const PAGE_TOPICS = 1000;

/** Which topics are requested. */
export interface TopicQuestion {
  /** A part of the topic, or a pattern of the whole topic; empty for all. */
  readonly find: string;
  /** Only names after this one; empty for the first page. */
  readonly after: string;
}

/** A page of topics. */
export interface TopicAnswer {
  readonly question: TopicQuestion;
  /** By name. */
  readonly topics: readonly WatchedTopic[];
  /** There are more topics after these. */
  readonly hasMore: boolean;
}

/** Requests a page of topics from its first use on, so that the curves have no gaps. */
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

  /** Undefined before the first response. After a change of the request, the old page until the next arrives. */
  get answer(): TopicAnswer | undefined {
    return this.#answer;
  }

  get error(): EventBusError | undefined {
    return this.#error;
  }

  /** There is no response to the current request yet; the response and the error belong to the one before it. */
  get isAsking(): boolean {
    return this.#isAsking;
  }

  /** Requests this from now on; at once if it differs from the current request. */
  ask(question: TopicQuestion): void {
    if (isSame(question, this.#question)) return;
    this.#question = question;
    this.#isAsking = true;
    void this.#ask();
    this.changed();
  }

  /** Asks at once, if the last request found no server and none is in progress. */
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
      // Another poll continues, with another request or another token.
      if (signal.aborted || error.code === "closed") return;
      this.#error = error;
    }
    this.#isAsking = false;
    this.#timer = setTimeout(() => void this.#ask(), this.#pauseMs(performance.now() - startedMs));
    this.changed();
  }

  /** One topic more than a page has, if there are more. */
  async #page({ find, after }: TopicQuestion, signal: AbortSignal): Promise<readonly TopicSummary[]> {
    const options = { after: after || undefined, limit: PAGE_TOPICS + 1, signal };
    const { value } = await this.#session.client.topicPages(patternOf(find), options).next();
    return value ?? [];
  }

  /** The duration of a failure is no measure of the server's load: most of it is waiting for a server that is away. */
  #pauseMs(tookMs: number): number {
    return this.#error === undefined ? Math.max(POLL_MS, tookMs / LOAD_SHARE) : FAILED_POLL_MS;
  }

  #take(question: TopicQuestion, found: readonly TopicSummary[]): void {
    const hasMore = found.length > PAGE_TOPICS;
    // If other pages follow this one, an unknown topic may have moved here from another page.
    const isUnknownNew = isSame(question, this.#answer?.question) && this.#answer?.hasMore === false;
    const topics = this.#rates.take(found.slice(0, PAGE_TOPICS), performance.now(), isUnknownNew);
    this.#answer = { question, topics, hasMore };
  }
}

/** A text without special characters may be anywhere in the topic. */
function patternOf(find: string): string {
  if (find === "") return "*";
  return /[*?[\]{}\\]/.test(find) ? find : `*${find}*`;
}

function isSame(one: TopicQuestion, other: TopicQuestion | undefined): boolean {
  return one.find === other?.find && one.after === other.after;
}
