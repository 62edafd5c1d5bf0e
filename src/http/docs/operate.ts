import { stats, subscriber } from "./examples.ts";
import { content, jsonAnswer, type Schema } from "./openapi.ts";
import type { RouteDocs } from "./route.ts";

export const pruneDocs: RouteDocs = {
  operationId: "prune",
  tag: "Operate",
  summary: "Apply the retention rules now",
  description: `\
Removes the events that \`--max-history\`, \`--max-age\` and \`--max-bytes\` no longer keep. The server also does this by
itself, every \`--prune-interval\`. Ids are never reused.`,
  answers: {
    200: jsonAnswer("Pruned.", "Pruned", { pruned: 3 }),
  },
  errors: ["parameter_unknown"],
};

export const backupDocs: RouteDocs = {
  operationId: "backup",
  tag: "Operate",
  summary: "Download a copy of the database",
  description: `\
Returns a SQLite file with every event up to the newest one at the time the copy began, and everything stored about them.
Publishing continues meanwhile; pruning waits. Only one backup runs at a time: a second one gets 503 with \`Retry-After\`.

\`eventbus backup FILE\` calls this, verifies the copy, and only then gives it its name.`,
  answers: {
    200: {
      description: "The file. It is complete when its size is the value of `Eventbus-Backup-Bytes`.",
      headers: {
        "Eventbus-Backup-Bytes": {
          description: "The size of the file, in bytes.",
          schema: { type: "integer", example: 49_152 },
        },
        "Content-Disposition": {
          description: "A name for the file, including the time.",
          schema: { type: "string", example: 'attachment; filename="eventbus-20261123T143000Z.db"' },
        },
      },
      content: content("application/vnd.sqlite3", { type: "string", format: "binary" }, "SQLite format 3"),
    },
  },
  errors: ["parameter_unknown", "unavailable", "storage_full"],
};

export const statsDocs: RouteDocs = {
  operationId: "stats",
  tag: "Operate",
  summary: "Get the state of the service",
  description: "Counts, rates, retention, storage size, subscribers, uptime and version.",
  answers: {
    200: jsonAnswer("The current figures.", "Stats", stats),
  },
  errors: ["parameter_unknown"],
};

export const subscribersDocs: RouteDocs = {
  operationId: "subscribers",
  tag: "Operate",
  summary: "List the subscribers",
  description: `\
Returns who is connected, how far behind, and why; the subscriber furthest behind comes first. \`/api/stats\` has how many
there are. Clients that take from consumers over a WebSocket are among them, as they may subscribe to patterns, too.`,
  answers: {
    200: jsonAnswer("The subscribers; an empty array when there are none.", "SubscriberList", [subscriber]),
  },
  errors: ["parameter_invalid", "parameter_unknown", "unavailable"],
};

export const metricsDocs: RouteDocs = {
  operationId: "metrics",
  tag: "Operate",
  summary: "Metrics for Prometheus",
  description: "Counters, gauges and histograms in the text format of Prometheus.",
  answers: {
    200: {
      description: "The current metrics.",
      content: content("text/plain", { type: "string" }, "eventbus_published_events_total 42\n"),
    },
  },
  errors: ["parameter_unknown"],
};

export const healthDocs: RouteDocs = {
  operationId: "healthz",
  tag: "Operate",
  summary: "Is the service alive?",
  description: "For a supervisor that restarts the service when this gets no response.",
  answers: {
    200: { description: "Alive.", content: content("application/json", statusOf("ok"), { status: "ok" }) },
  },
  errors: ["parameter_unknown"],
};

export const readyDocs: RouteDocs = {
  operationId: "readyz",
  tag: "Operate",
  summary: "Can the service accept publishes?",
  description: "For a load balancer. 503 and 507 give the reason when it cannot.",
  answers: {
    200: { description: "Ready.", content: content("application/json", statusOf("ready"), { status: "ready" }) },
  },
  errors: ["parameter_unknown", "unavailable", "storage_full"],
};

const anyObject: Schema = { type: "object" };
const anyList: Schema = { type: "array", items: anyObject };

const openApiDocument: Schema = {
  type: "object",
  required: ["openapi", "info", "paths"],
  properties: {
    openapi: { type: "string" },
    info: anyObject,
    servers: anyList,
    tags: anyList,
    paths: anyObject,
    components: anyObject,
  },
};

export const specificationDocs: RouteDocs = {
  operationId: "openapi",
  tag: "Operate",
  summary: "This documentation, in machine-readable form",
  description: "OpenAPI 3.0, generated from the routes. `/swagger` displays it.",
  answers: {
    200: {
      description: "The OpenAPI document.",
      content: content("application/json", openApiDocument, {
        openapi: "3.0.3",
        info: { title: "eventbus", version: "0.1.0" },
        paths: {},
      }),
    },
  },
  errors: [],
};

const asyncApiDocument: Schema = {
  type: "object",
  required: ["asyncapi", "info", "servers", "channels", "operations", "components"],
  properties: {
    asyncapi: { type: "string" },
    info: anyObject,
    defaultContentType: { type: "string" },
    servers: anyObject,
    channels: anyObject,
    operations: anyObject,
    components: anyObject,
  },
};

export const asyncApiDocs: RouteDocs = {
  operationId: "asyncapi",
  tag: "Operate",
  summary: "The WebSocket, in machine-readable form",
  description: "AsyncAPI 3: every frame in both directions, with the same schemas as this document.",
  answers: {
    200: {
      description: "The AsyncAPI document.",
      content: content("application/json", asyncApiDocument, {
        asyncapi: "3.1.0",
        info: { title: "eventbus", version: "0.1.0" },
        servers: { this: { host: "127.0.0.1:9800", protocol: "ws" } },
        channels: {},
        operations: {},
        components: {},
      }),
    },
  },
  errors: ["parameter_unknown"],
};

function statusOf(status: string): Schema {
  return { type: "object", required: ["status"], properties: { status: { type: "string", enum: [status] } } };
}
