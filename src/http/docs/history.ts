import { orderEvent, pushEvent, toLines, topicSummaries } from "./examples.ts";
import { content, inPath, jsonAnswer, nextPage, schemaRef } from "./openapi.ts";
import type { RouteDocs } from "./route.ts";

export const historyDocs: RouteDocs = {
  operationId: "history",
  tag: "History",
  summary: "Query the history",
  description: `\
Returns the events that match all filters, newest first; with \`after\`, oldest first. All filters apply before the
limit: \`last=50\` returns 50 matching events.

When there are more, the header \`Link\` has the address of the next page. With \`Accept: application/x-ndjson\` the
events are sent as lines, read from disk only as fast as the client reads them, and without a \`Link\`.

With an \`after\` of 1 or more, 410 reports that retention has removed the events that come next: continue from
\`oldest\`, with \`after\` one less. When that happens while lines are being sent, the connection is closed. An \`after\`
above the newest id returns 400, as the history is then not the one that the id came from; on a node of a cluster, which may
not have received that event yet, an empty array.

\`\`\`sh
curl 'http://127.0.0.1:9800/api/events/history?last=10&topic=orders.*'
\`\`\``,
  answers: {
    200: {
      description: "The matching events; an empty array when there are none.",
      headers: {
        ...nextPage('<history?last=2&before=41>; rel="next"'),
        "Eventbus-Damaged": {
          description: "Ids of events in this range that are damaged on disk and were omitted, at most 100.",
          schema: { type: "string", example: "17,18" },
        },
      },
      content: {
        ...content("application/json", schemaRef("EventList"), [orderEvent, pushEvent]),
        ...content(
          "application/x-ndjson",
          { type: "string", description: "An `Event` as JSON on each line." },
          toLines([orderEvent, pushEvent]),
        ),
      },
    },
  },
  errors: ["pattern_invalid", "parameter_invalid", "parameter_unknown", "unavailable", "cursor_expired"],
};

export const eventDocs: RouteDocs = {
  operationId: "event",
  tag: "History",
  summary: "Get one event by its id",
  description:
    "Returns 404 for an event that never existed, and 410 with the id of the oldest event kept for one that retention has removed.",
  parameters: [
    inPath(
      "id",
      "The event's id.",
      { type: "integer", format: "int64", minimum: 1, maximum: Number.MAX_SAFE_INTEGER },
      1,
    ),
  ],
  answers: {
    200: jsonAnswer("The event.", "Event", orderEvent),
  },
  errors: ["parameter_unknown", "not_found", "cursor_expired"],
};

export const topicsDocs: RouteDocs = {
  operationId: "topics",
  tag: "History",
  summary: "List the topics in the history",
  description: `\
Returns topics by name, in code point order, each with the number of its events that are kept and the newest of them.

Returns at most \`limit\` topics; when there are more, the header \`Link\` has the address of the next page. A topic that
is kept throughout a walk through the pages appears exactly once, whatever is published and pruned meanwhile.

\`\`\`sh
curl 'http://127.0.0.1:9800/api/topics?pattern=orders.*&limit=100'
\`\`\``,
  answers: {
    200: {
      ...jsonAnswer("The matching topics; an empty array when there are none.", "TopicList", topicSummaries),
      headers: nextPage('<topics?limit=2&after=orders.created>; rel="next"'),
    },
  },
  errors: ["pattern_invalid", "parameter_invalid", "parameter_unknown", "unavailable"],
};
