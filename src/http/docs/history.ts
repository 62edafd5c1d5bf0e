import { orderEvent, pushEvent, toLines, topicSummaries } from "./examples.ts";
import { content, schemaRef } from "./openapi.ts";
import type { RouteDocs } from "./route.ts";

export const historyDocs: RouteDocs = {
  operationId: "history",
  tag: "History",
  summary: "Ask the history",
  description: `\
Events that match everything that is asked, the newest first; with \`after\` the oldest first. All filters apply before
the limit: \`last=50\` are 50 events that match.

When there are more, the header \`Link\` has the address of the next page. With \`Accept: application/x-ndjson\` the
events come as lines, read from disk only as fast as they are taken, and without a \`Link\`.

With \`after\`, from 1 on, 410 says that retention has removed the events that come next: go on from \`oldest\`, with
\`after\` one less. When that happens while lines are sent, the connection is cut.

\`\`\`sh
curl 'http://127.0.0.1:9800/api/events/history?last=10&topic=orders.*'
\`\`\``,
  answers: {
    200: {
      description: "The events that match; an empty array when none does.",
      headers: {
        Link: {
          description: "Where the next page is, when there is one; relative to the address that was asked.",
          schema: { type: "string", example: '<history?last=2&before=41>; rel="next"' },
        },
        "Eventbus-Damaged": {
          description: "Ids of events in this stretch that are damaged on disk and were left out, at most 100.",
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
  summary: "One event by its id",
  description: "An event that never existed is 404, one that retention has removed 410 with the id of the oldest kept.",
  parameters: [
    {
      name: "id",
      in: "path",
      required: true,
      description: "The event's id.",
      schema: { type: "integer", format: "int64", minimum: 1, maximum: Number.MAX_SAFE_INTEGER },
      example: 1,
    },
  ],
  answers: {
    200: { description: "The event.", content: content("application/json", schemaRef("Event"), orderEvent) },
  },
  errors: ["parameter_unknown", "not_found", "cursor_expired"],
};

export const topicsDocs: RouteDocs = {
  operationId: "topics",
  tag: "History",
  summary: "The topics that history keeps",
  description: `\
By name, in code point order, with the number of events that are kept and the newest of them.

At most \`limit\` of them; when there are more, the header \`Link\` has the address of the next page. A topic that is kept
while one goes through the pages comes once, whatever is published and pruned meanwhile.

\`\`\`sh
curl 'http://127.0.0.1:9800/api/topics?pattern=orders.*&limit=100'
\`\`\``,
  answers: {
    200: {
      description: "The topics that match; an empty array when none does.",
      headers: {
        Link: {
          description: "Where the next page is, when there is one; relative to the address that was asked.",
          schema: { type: "string", example: '<topics?limit=2&after=orders.created>; rel="next"' },
        },
      },
      content: content("application/json", schemaRef("TopicList"), topicSummaries),
    },
  },
  errors: ["pattern_invalid", "parameter_invalid", "parameter_unknown", "unavailable"],
};
