import { stats } from "./examples.ts";
import { content, type Schema, schemaRef } from "./openapi.ts";
import type { RouteDocs } from "./route.ts";

export const pruneDocs: RouteDocs = {
  operationId: "prune",
  tag: "Operate",
  summary: "Apply the retention rules now",
  description: `\
Removes what \`--max-history\`, \`--max-age\` and \`--max-bytes\` no longer keep, as the server does by itself every
\`--prune-interval\`. Ids are never used again.`,
  answers: {
    200: { description: "Pruned.", content: content("application/json", schemaRef("Pruned"), { pruned: 3 }) },
  },
  errors: ["parameter_unknown"],
};

export const backupDocs: RouteDocs = {
  operationId: "backup",
  tag: "Operate",
  summary: "A copy of the database",
  description: `\
A SQLite file with every event up to one that was the newest when the copy began, and all that is known of them.
Publishing goes on meanwhile; pruning waits. One backup at a time: a second one gets 503 with \`Retry-After\`.

\`eventbus backup FILE\` calls this, checks what it gets, and only then gives it its name.`,
  answers: {
    200: {
      description: "The file. It is whole when it has as many bytes as `Eventbus-Backup-Bytes` says.",
      headers: {
        "Eventbus-Backup-Bytes": {
          description: "How many bytes come.",
          schema: { type: "integer", example: 49_152 },
        },
        "Content-Disposition": {
          description: "A name for the file, with the time in it.",
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
  summary: "What the service has done and holds",
  description: "Counts, rates, retention, storage size, subscribers, uptime and version.",
  answers: {
    200: { description: "The figures, as of now.", content: content("application/json", schemaRef("Stats"), stats) },
  },
  errors: ["parameter_unknown"],
};

export const metricsDocs: RouteDocs = {
  operationId: "metrics",
  tag: "Operate",
  summary: "Metrics for Prometheus",
  description: "Counters, gauges and histograms in the text format of Prometheus.",
  answers: {
    200: {
      description: "The metrics, as of now.",
      content: content("text/plain", { type: "string" }, "eventbus_published_events_total 42\n"),
    },
  },
  errors: ["parameter_unknown"],
};

export const healthDocs: RouteDocs = {
  operationId: "healthz",
  tag: "Operate",
  summary: "Is the service alive?",
  description: "For a supervisor that starts the service anew when this is not answered.",
  answers: {
    200: { description: "Alive.", content: content("application/json", statusOf("ok"), { status: "ok" }) },
  },
  errors: ["parameter_unknown"],
};

export const readyDocs: RouteDocs = {
  operationId: "readyz",
  tag: "Operate",
  summary: "Can the service take a publish?",
  description: "For a load balancer. 503 and 507 say why not.",
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
  summary: "This documentation, for programs",
  description: "OpenAPI 3.0, made from the routes themselves. `/swagger` shows it.",
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
  summary: "The WebSocket, for programs",
  description: "AsyncAPI 3: every frame in both directions, with the schemas of this document.",
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
