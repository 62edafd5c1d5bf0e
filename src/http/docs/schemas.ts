import type { EventMessage, TopicSummary } from "../../protocol/event.ts";
import type { AnswerFrame, CaughtUpMessage, ClientFrame, DeliveryFrame, GapMessage } from "../../protocol/frames.ts";
import { type Problem, type ProblemMembers, problems } from "../../protocol/problem.ts";
import type { SubscriberInfo } from "../../protocol/subscriber.ts";
import type { TokenInfo } from "../../protocol/token.ts";
import {
  consumerSchemas,
  deliveryNames,
  deliveryProperties,
  nackProperties,
  settledProperties,
} from "./consumer-schemas.ts";
import { orderEnvelope, orderEvent, stats, subscriber, topicSummaries } from "./examples.ts";
import { count, countOf, createdAt, eventId, object, patterns, type Schema, schemaRef } from "./openapi.ts";
import { errorCodes } from "./problems.ts";
import { newToken, shopToken } from "./tokens.ts";

const topic: Schema = {
  type: "string",
  minLength: 1,
  maxLength: 255,
  description:
    "Segments separated by dots, 1 to 255 bytes of UTF-8. No white space, no control characters, none of " +
    "`* ? [ ] { } ( ) ! | \\ / ,`.",
};
const data: Schema = {
  description:
    "Any JSON value. It is stored and delivered as sent: numbers keep all their digits, members keep their order.",
};
const source: Schema = {
  type: "string",
  maxLength: 255,
  description: "Identifies the publisher, at most 255 bytes of UTF-8.",
};
const limitOf = (description: string): Schema => ({ ...count, nullable: true, description });

const eventProperties = {
  id: eventId,
  topic,
  data,
  source,
  created_at: createdAt,
} satisfies Record<keyof EventMessage, Schema>;

const envelopeProperties = {
  topic,
  data: { ...data, description: `${data.description} Default: \`null\`.` },
  source: { ...source, default: "" },
} satisfies Record<string, Schema>;

const topicProperties = {
  topic,
  count: countOf("Number of the topic's events that are kept."),
  last_id: eventId,
  last_at: createdAt,
} satisfies Record<keyof TopicSummary, Schema>;

const helpingMembers = {
  position: { ...count, description: "Offset of the error in the text, in UTF-16 code units from 0." },
  line: { ...count, description: "The line of the NDJSON body with the error, from 1." },
  limit: { ...count, description: "The limit that was exceeded, in the unit that the detail names." },
  oldest: { ...count, description: "The id of the oldest event kept." },
  state: {
    type: "string",
    description: "Why the server is not ready, such as `full`, `behind` or `disconnected` (a node of a cluster).",
  },
  parameter: { type: "string", description: "The parameter, header or member with the error." },
} satisfies Record<keyof ProblemMembers, Schema>;

const problemProperties = {
  type: {
    type: "string",
    description: "A stable identifier of the code.",
    example: "urn:eventbus:problem:topic_invalid",
  },
  title: { type: "string", description: "A summary of the code, for people. Always the same for a code." },
  status: { type: "integer", minimum: 400, maximum: 599, description: "The HTTP status." },
  detail: { type: "string", description: "What is wrong with this request and how to correct it, for people." },
  code: { type: "string", enum: errorCodes, description: "The error, for programs: an `ErrorCode`." },
  ...helpingMembers,
} satisfies Record<keyof Problem, Schema>;

const tokenProperties = {
  name: {
    type: "string",
    minLength: 1,
    maxLength: 64,
    description: "Letters, digits, `.`, `_` and `-`, starting with a letter or a digit.",
  },
  publish: patterns("Topics that the token may publish to."),
  subscribe: patterns("Topics with events that the token may read."),
  consume: patterns("Names of the consumers that the token may take from."),
  admin: {
    type: "boolean",
    description: "May do everything, also publish and read events of every topic, and manage tokens.",
  },
  monitor: { type: "boolean", description: "May read metrics, stats and topics, but no events." },
  expires_at: {
    type: "string",
    format: "date-time",
    nullable: true,
    description: "When the token expires; `null`: never.",
  },
} satisfies Record<keyof TokenInfo, Schema>;

const subscriberProperties = {
  transport: { type: "string", enum: ["websocket", "stream"], description: "How it is connected." },
  caller: { type: "string", description: "The token that it connected with; empty on an open bus." },
  address: { type: "string", nullable: true, description: "The client's address; `null` when it is unknown." },
  patterns: { type: "array", items: { type: "string" }, description: "Patterns of the topics that it subscribes to." },
  state: {
    type: "string",
    enum: ["live", "catching_up", "slow", "starting"],
    description:
      "`live`: up to date. `catching_up`: reads history. `slow`: is behind, and has not read what was sent to it yet. " +
      "`starting`: looks for the event to begin with.",
  },
  lag: {
    ...count,
    nullable: true,
    description:
      "Events between its position and the newest one, whether they match or not; `null` while it is starting.",
  },
  waiting_bytes: countOf("Output that was sent to it and that it has not read yet, as far as the server knows."),
  connected_at: { type: "string", format: "date-time", description: "When it connected." },
} satisfies Record<keyof SubscriberInfo, Schema>;

/** Echoed from the frame of the client. */
const ref: Schema = {
  description: "The reference that the client sent: a string or a number, at most 256 characters as JSON.",
  oneOf: [{ type: "string" }, { type: "number" }],
};
const credit: Schema = {
  type: "integer",
  minimum: 0,
  maximum: 10_000,
  description: "How many of its deliveries may be out on this connection; with 0, no more are delivered.",
};
const typeOf = (type: (GapMessage | CaughtUpMessage | DeliveryFrame | AnswerFrame | ClientFrame)["type"]): Schema => ({
  type: "string",
  enum: [type],
});

const pattern: Schema = { type: "string", minLength: 1, maxLength: 256, description: "A pattern of topics." };

/** A frame with exactly these members and its type. */
function frame(description: string, properties: Record<string, Schema>, required: readonly string[] = []): Schema {
  return { ...object(description, properties), required: ["type", ...required], additionalProperties: false };
}

const subscribers = object("Subscribers of one transport.", {
  live: countOf("Up to date: they receive events as they are published."),
  replay: countOf("Behind: they read from history at their own pace."),
});

const replay = object("Subscribers that are served from history.", {
  subscribers: countOf("How many."),
  lag: countOf("Events between the one furthest behind and the newest event."),
});

const share: Schema = {
  type: "number",
  minimum: 0,
  maximum: 1,
  description: "Share of a busy event loop that near ones get, and far ones too.",
};

const nodeSchema: Record<string, Schema> = {
  node: { type: "string", description: "Names one run of a node." },
  place: countOf("The last entry of the stream that it has adopted."),
  behind: countOf("Entries that it has not adopted yet, as far as it knows."),
};

const clusterSchema: Schema = object("The cluster, if the server is a node of one.", {
  name: { type: "string", description: "Name of the cluster, and of its stream." },
  ...nodeSchema,
  connected: { type: "boolean", description: "Whether it is connected to NATS." },
  acknowledged: countOf("Entries of this node that the stream has accepted since the start."),
  reconnects: countOf("How often the connection to NATS was lost and re-established."),
  consumers: {
    type: "string",
    nullable: true,
    description: "The node that serves the consumers; `null` if none does.",
  },
  nodes: {
    type: "array",
    items: object("A node that was heard from recently.", nodeSchema),
    description: "All nodes.",
  },
});

/** Every schema that is used in more than one place, by its name. */
export const schemas: Readonly<Record<string, Schema>> = {
  Event: object("One published event. It never changes.", eventProperties, orderEvent),
  EventList: { type: "array", items: schemaRef("Event"), description: "Events in the requested order." },
  Envelope: {
    type: "object",
    description: "An event to publish. A member not listed here is an error.",
    required: ["topic"],
    properties: envelopeProperties,
    additionalProperties: false,
    example: orderEnvelope,
  },
  PublishedMany: object("The result of publishing many envelopes: consecutive events.", {
    count: { ...count, minimum: 1, description: "The number of events published." },
    first_id: { ...eventId, description: "The id of the first event." },
    last_id: { ...eventId, description: "The id of the last event." },
  }),
  Topic: object("A topic with events in the history.", topicProperties, topicSummaries[0]),
  TopicList: { type: "array", items: schemaRef("Topic"), description: "Topics by name." },
  Pruned: object("The result of pruning.", { pruned: countOf("Number of events removed.") }),
  Stats: withOptional(
    { cluster: clusterSchema },
    object(
      "The state of the service.",
      {
        version: { type: "string", description: "Version of the server." },
        uptime_seconds: countOf("Since the server started."),
        events: object("The events in the history.", {
          count: countOf("Number of ids from the first to the last."),
          first_id: countOf("Oldest event kept; one more than `last_id` when there is none."),
          last_id: countOf("Newest event ever published; 0 before the first."),
        }),
        published: countOf("Events published since the server started."),
        published_per_second: { type: "number", minimum: 0, description: "Mean over the last ten seconds." },
        delivered: countOf("Events delivered to subscribers since the server started, counted once per subscriber."),
        delivered_per_second: { type: "number", minimum: 0, description: "Mean over the last ten seconds." },
        gaps: countOf("Gaps reported to subscribers."),
        replays: countOf("Subscriptions that started in the past."),
        evictions: countOf("Slow subscribers moved from live delivery to replay."),
        commits: object(
          "Transactions. Everything but `count` covers the last ten seconds; `null` when there were none.",
          {
            count: countOf("Since the server started."),
            per_second: { type: "number", minimum: 0, description: "Mean." },
            events_per_commit: { type: "number", minimum: 0, nullable: true, description: "Mean." },
            commit_ms: quantilesOf("Duration of a transaction, in milliseconds."),
            fsync_ms: quantilesOf(
              "Duration of its COMMIT statement, in which SQLite waits for the disk, in milliseconds.",
            ),
          },
        ),
        subscribers: object("The connected subscribers.", { websocket: subscribers, stream: subscribers }),
        replay: object("Subscribers that are behind: near ones are served from memory, far ones from disk.", {
          near: replay,
          far: replay,
          share,
        }),
        waiting: object("Output waiting in the server for readers.", {
          bytes: countOf("Bytes waiting."),
          max_bytes: countOf("Upper bound, `--max-waiting`."),
        }),
        storage: object("The history on disk.", {
          used_bytes: countOf("Bytes used by events and their indexes."),
          file_bytes: countOf("Bytes allocated on disk, including space that can be reused."),
        }),
        retention: object("The rules by which old events are removed. `null` means that the rule is off.", {
          max_history: limitOf("Maximum number of events to keep."),
          max_age_ms: limitOf("Age at which an event is removed, in milliseconds."),
          max_bytes: limitOf("Maximum size of the history, in bytes."),
          prune_interval_ms: countOf("How often the rules are applied, in milliseconds."),
        }),
      },
      stats,
    ),
  ),
  Subscriber: object("A connected subscriber.", subscriberProperties, subscriber),
  SubscriberList: {
    type: "array",
    items: schemaRef("Subscriber"),
    description: "Subscribers, the one furthest behind first.",
  },
  ...consumerSchemas,
  TokenInfo: object("A named token, without its secret.", tokenProperties, shopToken),
  TokenList: { type: "array", items: schemaRef("TokenInfo"), description: "Tokens by name." },
  TokenSpec: {
    type: "object",
    description: "A token to create. A member not listed here is an error.",
    required: ["name"],
    properties: tokenProperties,
    additionalProperties: false,
    example: shopToken,
  },
  NewToken: object(
    "A newly created token.",
    { ...tokenProperties, secret: { type: "string", description: "Returned only once, here." } },
    newToken,
  ),
  Gap: object("Retention removed the events between `after` and `next` before they were read.", {
    type: typeOf("gap"),
    after: countOf("The last event before the gap."),
    next: countOf(
      "The first event after it. Not above `after` if that id was never assigned here, as after restoring a backup.",
    ),
  }),
  CaughtUp: object("The replay that `since` or `last` requested has caught up.", {
    type: typeOf("caught_up"),
    id: countOf("The newest event of any topic at that time."),
  }),
  Ack: frame("The frame was carried out.", { type: typeOf("ack"), ref }),
  Published: frame("The event is on disk.", { type: typeOf("ack"), ref, event: schemaRef("Event") }, ["event"]),
  Pong: frame("The response to a ping.", { type: typeOf("pong"), ref }),
  ErrorFrame: frame(
    "The frame was rejected; the connection stays open. Other members help to correct it, as in a `Problem`.",
    { type: typeOf("error"), ref, code: schemaRef("ErrorCode"), detail: problemProperties.detail, ...helpingMembers },
    ["code", "detail"],
  ),
  PublishFrame: frame(
    "Publishes an event. Acknowledged once it is on disk.",
    {
      type: typeOf("publish"),
      ref,
      ...envelopeProperties,
    },
    ["topic"],
  ),
  SubscribeFrame: frame(
    "Subscribes to one more pattern, from the acknowledgement on.",
    { type: typeOf("subscribe"), ref, pattern },
    ["pattern"],
  ),
  UnsubscribeFrame: frame(
    "Unsubscribes from a pattern. It is not an error if there was no such subscription.",
    { type: typeOf("unsubscribe"), ref, pattern },
    ["pattern"],
  ),
  ConsumeFrame: frame(
    "Takes from a consumer, from the acknowledgement on. Another one for the same consumer changes the credit.",
    { type: typeOf("consume"), ref, consumer: { type: "string", description: "Its name." }, credit },
    ["consumer", "credit"],
  ),
  DeliveryFrame: frame(
    "One attempt to deliver one event, or one gap. It takes a credit until it is acknowledged or taken back.",
    {
      type: typeOf("delivery"),
      consumer: { type: "string", description: "The name of the consumer." },
      ...deliveryProperties,
    },
    ["consumer", "delivery", "attempt"],
  ),
  AckFrame: frame("The work is done.", { type: typeOf("ack"), ref, deliveries: deliveryNames }, ["deliveries"]),
  NackFrame: frame("The work failed.", { type: typeOf("nack"), ref, ...nackProperties }, ["deliveries"]),
  ExtendFrame: frame(
    "The work goes on: each may be out for another `ack_timeout` from now.",
    { type: typeOf("extend"), ref, deliveries: deliveryNames },
    ["deliveries"],
  ),
  SettledFrame: frame(
    "What became of deliveries. Sent if the frame had a `ref`, or if some are unknown.",
    { type: typeOf("settled"), ref, ...settledProperties },
    ["done", "unknown"],
  ),
  PingFrame: frame("Requests a pong.", { type: typeOf("ping"), ref }),
  Problem: {
    type: "object",
    description:
      "An error (RFC 9457). Programs branch on `code`, people read `detail`; other members help to correct the request.",
    required: ["type", "title", "status", "detail", "code"],
    properties: problemProperties,
  },
  ErrorCode: { type: "string", enum: errorCodes, description: codeTable() },
};

function codeTable(): string {
  const rows = errorCodes.map((code) => `| ${problems[code].status} | \`${code}\` | ${problems[code].title} |`);
  return ["A code never changes its meaning.", "", "| Status | Code | Meaning |", "|---|---|---|", ...rows].join("\n");
}

function quantilesOf(description: string): Schema {
  const quantile = (share: string): Schema => ({ type: "number", minimum: 0, nullable: true, description: share });
  return object(description, { p50: quantile("50th percentile."), p99: quantile("99th percentile.") });
}

function withOptional(properties: Record<string, Schema>, schema: Schema): Schema {
  return "properties" in schema ? { ...schema, properties: { ...schema.properties, ...properties } } : schema;
}
