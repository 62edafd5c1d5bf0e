import { subscribersDocs } from "../docs/operate.ts";
import type { Waiting } from "../limits/waiting.ts";
import { integer, Query } from "../request/query.ts";
import { jsonText } from "../response/answer.ts";
import { arrayBody } from "../response/array-body.ts";
import { furthestBehind, type Subscribed } from "../response/subscriber-list.ts";
import { type Route, route } from "./route.ts";

/** Maximum number of subscribers in one response: with 64 long patterns each, it takes about 8 MB. */
const MAX_SUBSCRIBERS_LIMIT = 500;
const DEFAULT_SUBSCRIBERS_LIMIT = 100;

const subscribersQuery = new Query({
  limit: integer(
    1,
    MAX_SUBSCRIBERS_LIMIT,
    "The maximum number of subscribers to return; `/api/stats` counts all of them.",
    DEFAULT_SUBSCRIBERS_LIMIT,
  ),
});

/** `GET /api/subscribers`: who is connected, how far behind, and why. */
export function subscribersRoute(subscribers: () => readonly Subscribed[], waiting: Waiting): Route {
  return route({
    method: "GET",
    path: "/api/subscribers",
    access: "monitor",
    query: subscribersQuery,
    docs: subscribersDocs,
    handle: ({ query: { limit } }) => {
      const found = furthestBehind(subscribers(), limit[0] ?? DEFAULT_SUBSCRIBERS_LIMIT);
      return jsonText(
        arrayBody(
          found.map((one) => JSON.stringify(one)),
          waiting,
        ),
      );
    },
  });
}
