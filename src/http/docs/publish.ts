import type { ErrorCode } from "../../protocol/problem.ts";
import { order, orderEnvelope, orderEvent, pushEnvelope, pushEvent, toLines } from "./examples.ts";
import { content, contentOfMany, type Headers, inPath, jsonAnswer, type Parameters, schemaRef } from "./openapi.ts";
import type { RouteDocs } from "./route.ts";

const IDEMPOTENCY = `
**Safe to retry.** With an \`Idempotency-Key\`, repeating the same body within ten minutes publishes nothing: the response
is that of the first call, with the header \`Idempotency-Replayed: true\`. The same key with another body returns 409
\`idempotency_conflict\`.`;

const idempotencyKey: Parameters[number] = {
  name: "Idempotency-Key",
  in: "header",
  description: "Any text of 1 to 255 bytes that identifies this publish, such as a UUID.",
  schema: { type: "string", minLength: 1, maxLength: 255 },
};

const replayed: Headers = {
  "Idempotency-Replayed": {
    description: "Sent only when the key was used before: the events are those of the first call.",
    schema: { type: "string", enum: ["true"] },
  },
};

const publishErrors: readonly ErrorCode[] = [
  "json_invalid",
  "topic_invalid",
  "parameter_invalid",
  "parameter_unknown",
  "idempotency_conflict",
  "payload_too_large",
  "media_type_unsupported",
  "rate_limited",
  "unavailable",
  "storage_full",
];

export const publishDocs: RouteDocs = {
  operationId: "publish",
  tag: "Publish",
  summary: "Publish one event or many",
  description: `\
The response arrives when the event is on disk. It is the event with its \`id\` and time.

\`\`\`sh
curl http://127.0.0.1:9800/api/events/publish -d '{"topic":"orders.created","data":{"total":25}}'
\`\`\`

With \`Content-Type: application/x-ndjson\` the body contains one envelope per line, at most 10,000, and with
\`--rate-limit\` at most as many as it allows per second. Either all of them are published, with consecutive ids, or none.

A body of \`text/json\` or \`application/*+json\`, without a \`Content-Type\`, or with the one that \`curl -d\` sends by default,
is read as JSON. It may be up to 1 MiB, or ten times as much for NDJSON, unless the server was started with another
\`--max-body\`.
${IDEMPOTENCY}`,
  parameters: [idempotencyKey],
  body: {
    ...contentOfMany("application/json", schemaRef("Envelope"), {
      "an order": orderEnvelope,
      "a push to GitHub": pushEnvelope,
      "only a topic": { topic: "deploy.finished" },
    }),
    ...content(
      "application/x-ndjson",
      { type: "string", description: "An `Envelope` as JSON on each line. Blank lines are skipped." },
      toLines([orderEnvelope, { topic: "orders.paid", data: { order: "A-1007" }, source: "shop" }]),
    ),
  },
  answers: {
    200: {
      description: "Published. An `Event` for JSON, a `PublishedMany` for NDJSON.",
      headers: replayed,
      content: contentOfMany(
        "application/json",
        { oneOf: [schemaRef("Event"), schemaRef("PublishedMany")] },
        {
          "an order": orderEvent,
          "a push to GitHub": pushEvent,
          "many, by NDJSON": { count: 2, first_id: 43, last_id: 44 },
        },
      ),
    },
  },
  errors: publishErrors,
};

export const publishToDocs: RouteDocs = {
  operationId: "publishTo",
  tag: "Publish",
  summary: "Publish data to the topic in the path",
  description: `\
The body **is** the data: any JSON value, or with \`Content-Type: text/plain\` a text, which becomes a JSON string.
Intended for webhooks and shells: query parameters other than \`source\` are ignored.

\`\`\`sh
date | curl http://127.0.0.1:9800/api/events/publish/backup.finished -H 'Content-Type: text/plain' --data-binary @-
\`\`\`
${IDEMPOTENCY}`,
  parameters: [
    inPath(
      "topic",
      "The topic, percent-encoded where a path requires it.",
      { type: "string", minLength: 1, maxLength: 255 },
      "orders.created",
    ),
    idempotencyKey,
  ],
  body: {
    ...content("application/json", { description: "Any JSON value: the data of the event." }, order),
    ...content("text/plain", { type: "string", description: "A text in UTF-8." }, "backup finished after 12 s"),
  },
  answers: {
    200: { ...jsonAnswer("Published.", "Event", orderEvent), headers: replayed },
  },
  errors: publishErrors,
};
