import type { Bus } from "../../bus/bus.ts";
import { PatternSet } from "../../bus/patterns/pattern-set.ts";
import { topicsDocs } from "../docs/history.ts";
import type { Waiting } from "../limits/waiting.ts";
import { integer, MAX_PATTERNS_ASKED, patternParameter, Query, text, type ValuesOf } from "../request/query.ts";
import { jsonText } from "../response/answer.ts";
import { arrayBody } from "../response/array-body.ts";
import { nextLink } from "../response/next-link.ts";
import { type Route, route } from "./route.ts";

/**
 * Maximum number of topics in one response, which is held until it is sent: some 3 MB if their names have the maximum
 * length.
 */
const MAX_TOPICS_LIMIT = 10_000;
const DEFAULT_TOPICS_LIMIT = 1000;

const topicsQuery = new Query({
  pattern: patternParameter(MAX_PATTERNS_ASKED),
  // Any text is a position in the order: the rules for topics may have changed since the last page.
  after: text((place) => place, "Only topics with a name after this text, which need not be a topic."),
  limit: integer(1, MAX_TOPICS_LIMIT, "The maximum number of topics to return.", DEFAULT_TOPICS_LIMIT),
});

/** `GET /api/topics`: one page of the topics, with a `Link` to the next one if there are more. */
export function topicsRoute(bus: Bus, waiting: Waiting): Route {
  return route({
    method: "GET",
    path: "/api/topics",
    access: "monitor",
    query: topicsQuery,
    docs: topicsDocs,
    handle: ({ request, query }) => topics(bus, waiting, request, query),
  });
}

async function topics(
  bus: Bus,
  waiting: Waiting,
  request: Request,
  asked: ValuesOf<typeof topicsQuery>,
): Promise<Response> {
  const {
    pattern,
    after,
    limit: [limit = DEFAULT_TOPICS_LIMIT],
  } = asked;
  const query = {
    ...(pattern.length > 0 && { topics: new PatternSet(pattern) }),
    ...(after[0] !== undefined && { after: after[0] }),
    // One more than requested, to see whether there is a next page.
    limit: limit + 1,
  };
  const texts: string[] = [];
  let last = "";
  let hasMore = false;
  for await (const page of bus.topicPages(query)) {
    request.signal.throwIfAborted();
    for (const summary of page) {
      hasMore = texts.length === limit;
      if (hasMore) break;
      texts.push(JSON.stringify(summary));
      last = summary.topic;
    }
  }
  return jsonText(arrayBody(texts, waiting), hasMore ? { Link: nextLink(request.url, { after: last }) } : undefined);
}
