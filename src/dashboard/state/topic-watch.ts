import type { TopicSummary } from "../../client/index.ts";
import { type Rated, Rates } from "./rates.ts";
import type { Session } from "./session.ts";
import { Watch } from "./watch.ts";

/** Topics per page: as many as are requested and shown at a time. More lines make the page slow. */
export const PAGE_TOPICS = 1000;

/** Small, as a page of topics may take a search through the whole history. */
const LOAD_SHARE = 0.02;

/** Which topics are requested. */
export interface TopicQuestion {
  /** A part of the topic, or a pattern of the whole topic; empty for all. */
  readonly find: string;
  /** Only names after this one; empty for the first page. */
  readonly after: string;
}

/** The rate is that of publishing. */
export type WatchedTopic = Rated<TopicSummary>;

/** A page of topics. */
export interface TopicAnswer {
  readonly question: TopicQuestion;
  /** By name. */
  readonly topics: readonly WatchedTopic[];
  /** There are more topics after these. */
  readonly hasMore: boolean;
}

/** Requests a page of topics again and again. */
export class TopicWatch extends Watch<TopicQuestion, TopicAnswer> {
  readonly #rates = new Rates<TopicSummary>(({ topic, count }) => [topic, count]);

  constructor(session: Session) {
    super(session, LOAD_SHARE);
  }

  protected isSame(one: TopicQuestion, other: TopicQuestion): boolean {
    return one.find === other.find && one.after === other.after;
  }

  protected async load(question: TopicQuestion, signal: AbortSignal): Promise<TopicAnswer> {
    const { find, after } = question;
    // One topic more than a page has shows whether there are more.
    const options = { after: after || undefined, limit: PAGE_TOPICS + 1, signal };
    const { value: found = [] } = await this.session.client.topicPages(patternOf(find), options).next();
    if (signal.aborted) return { question, topics: [], hasMore: false };
    const { answer } = this;
    // If other pages follow this one, an unknown topic may have moved here from another page.
    const isUnknownNew = answer !== undefined && this.isSame(question, answer.question) && !answer.hasMore;
    const topics = this.#rates.take(found.slice(0, PAGE_TOPICS), performance.now(), isUnknownNew);
    return { question, topics, hasMore: found.length > PAGE_TOPICS };
  }
}

/** A text without special characters may be anywhere in the topic. */
function patternOf(find: string): string {
  if (find === "") return "*";
  return /[*?[\]{}\\]/.test(find) ? find : `*${find}*`;
}
