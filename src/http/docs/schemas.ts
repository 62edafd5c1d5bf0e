import type { EventMessage, TopicSummary } from "../../protocol/event.ts";
import type { AnswerFrame, CaughtUpMessage, ClientFrame, GapMessage } from "../../protocol/frames.ts";
import { type Problem, type ProblemMembers, problems } from "../../protocol/problem.ts";
import type { TokenInfo } from "../../protocol/token.ts";
import { orderEnvelope, orderEvent, stats, topicSummaries } from "./examples.ts";
import { type Schema, schemaRef } from "./openapi.ts";
import { errorCodes } from "./problems.ts";
import { newToken, shopToken } from "./tokens.ts";

/** An object that has all of these members. */
function object(description: string, properties: Record<string, Schema>, example?: unknown): Schema {
  const schema: Schema = { type: "object", description, required: Object.keys(properties), properties };
  return example === undefined ? schema : { ...schema, example };
}

const eventId: Schema = {
  type: "integer",
  format: "int64",
  minimum: 1,
  description: "1, 2, 3 …, ascending in the order of commits, never reused.",
};
const topic: Schema = {
  type: "string",
  minLength: 1,
  maxLength: 255,
  description:
    "Segments with dots between them, 1 to 255 bytes of UTF-8. No white space, no control characters, none of " +
    "`* ? [ ] { } ( ) ! | \\ / ,`.",
};
const data: Schema = {
  description: "Any JSON value. It is kept and delivered as sent: numbers keep all their digits, members their order.",
};
const source: Schema = { type: "string", maxLength: 255, description: "Who published it, at most 255 bytes of UTF-8." };
const createdAt: Schema = {
  type: "string",
  format: "date-time",
  description: "UTC, RFC 3339 with milliseconds, set by the server. Never goes down as `id` goes up.",
};
const count: Schema = { type: "integer", format: "int64", minimum: 0 };
const countOf = (description: string): Schema => ({ ...count, description });
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
  data: { ...data, description: `${data.description} \`null\` when left out.` },
  source: { ...source, default: "" },
} satisfies Record<string, Schema>;

const topicProperties = {
  topic,
  count: countOf("Events of the topic that history still keeps."),
  last_id: eventId,
  last_at: createdAt,
} satisfies Record<keyof TopicSummary, Schema>;

const helpingMembers = {
  position: { ...count, description: "Where the fault is in the text, in UTF-16 code units from 0." },
  line: { ...count, description: "The line of an NDJSON body that is at fault, from 1." },
  limit: { ...count, description: "The limit that was passed, in the unit that the detail names." },
  oldest: { ...count, description: "The oldest event that is still kept." },
  parameter: { type: "string", description: "The parameter, header or member at fault." },
} satisfies Record<keyof ProblemMembers, Schema>;

const problemProperties = {
  type: { type: "string", description: "A stable name of the code.", example: "urn:eventbus:problem:topic_invalid" },
  title: { type: "string", description: "What the code means, for people. Always the same for a code." },
  status: { type: "integer", minimum: 400, maximum: 599, description: "The HTTP status." },
  detail: { type: "string", description: "What is wrong with this request and what would be right, for people." },
  code: { type: "string", enum: errorCodes, description: "What is wrong, for programs: an `ErrorCode`." },
  ...helpingMembers,
} satisfies Record<keyof Problem, Schema>;

const patterns = (description: string): Schema => ({
  type: "array",
  maxItems: 64,
  items: { type: "string", maxLength: 256 },
  description,
});

const tokenProperties = {
  name: {
    type: "string",
    minLength: 1,
    maxLength: 64,
    description: "Letters, digits, `.`, `_` and `-`; the first one a letter or a digit.",
  },
  publish: patterns("Topics that may be published to."),
  subscribe: patterns("Topics whose events may be seen."),
  admin: { type: "boolean", description: "May prune, see topics and stats, and manage tokens." },
  expires_at: {
    type: "string",
    format: "date-time",
    nullable: true,
    description: "From when on it is not valid; `null`: never.",
  },
} satisfies Record<keyof TokenInfo, Schema>;

/** Echoed from the frame that is answered. */
const ref: Schema = {
  description: "What the client sent along: a string or a number, at most 256 characters as JSON.",
  oneOf: [{ type: "string" }, { type: "number" }],
};
const typeOf = (type: (GapMessage | CaughtUpMessage | AnswerFrame | ClientFrame)["type"]): Schema => ({
  type: "string",
  enum: [type],
});

const pattern: Schema = { type: "string", minLength: 1, maxLength: 256, description: "A pattern of topics." };

/** A frame that has no other members than these, and its type and these in any case. */
function frame(description: string, properties: Record<string, Schema>, required: readonly string[] = []): Schema {
  return { ...object(description, properties), required: ["type", ...required], additionalProperties: false };
}

const subscribers = object("Subscribers of one transport.", {
  live: countOf("Up to date: they get events as these come."),
  replay: countOf("Reading from history, at their own pace."),
});

const replay = object("Subscribers who read from the history.", {
  subscribers: countOf("How many."),
  lag: countOf("Events between the hindmost of them and the newest."),
  share: {
    type: "number",
    minimum: 0,
    maximum: 1,
    description: "Part of the time that they get while the server is busy.",
  },
});

/** Every schema that more than one place needs, by its name. */
export const schemas: Readonly<Record<string, Schema>> = {
  Event: object("One published event. It never changes.", eventProperties, orderEvent),
  EventList: { type: "array", items: schemaRef("Event"), description: "Events in the order that was asked for." },
  Envelope: {
    type: "object",
    description: "An event to publish. A member that is not listed here is an error.",
    required: ["topic"],
    properties: envelopeProperties,
    additionalProperties: false,
    example: orderEnvelope,
  },
  PublishedMany: object("What a body of many envelopes became: consecutive events.", {
    count: { ...count, minimum: 1, description: "How many were published." },
    first_id: { ...eventId, description: "The id of the first." },
    last_id: { ...eventId, description: "The id of the last." },
  }),
  Topic: object("A topic that history keeps events of.", topicProperties, topicSummaries[0]),
  TopicList: { type: "array", items: schemaRef("Topic"), description: "Topics by name." },
  Pruned: object("What pruning did.", { pruned: countOf("Events that were removed.") }),
  Stats: object(
    "What the service has done and holds.",
    {
      version: { type: "string", description: "Of the server." },
      uptime_seconds: countOf("Since the server started."),
      events: object("What history keeps.", {
        count: countOf("Ids from the first to the last."),
        first_id: countOf("Oldest event that is kept; one more than `last_id` when none is."),
        last_id: countOf("Newest event ever published, 0 before the first."),
      }),
      published: countOf("Events since the server started."),
      published_per_second: { type: "number", minimum: 0, description: "Mean of the last ten seconds." },
      delivered: countOf("Events handed to subscribers since the server started, once for each of them."),
      delivered_per_second: { type: "number", minimum: 0, description: "Mean of the last ten seconds." },
      gaps: countOf("Holes that subscribers were told of."),
      replays: countOf("Subscriptions that began in the past."),
      evictions: countOf("Slow subscribers that were moved from live delivery to the history."),
      commits: object("Transactions. All but `count` is of the last ten seconds; `null` when there was none.", {
        count: countOf("Since the server started."),
        per_second: { type: "number", minimum: 0, description: "Mean." },
        events_per_commit: { type: "number", minimum: 0, nullable: true, description: "Mean." },
        commit_ms: quantilesOf("Milliseconds that a transaction took."),
        fsync_ms: quantilesOf("Milliseconds of its COMMIT statement, in which SQLite waits for the disk."),
      }),
      subscribers: object("Who is connected.", { websocket: subscribers, stream: subscribers }),
      replay: object("Who is behind: near is read from memory, far from the disk.", { near: replay, far: replay }),
      waiting: object("What waits in the server for readers to take it.", {
        bytes: countOf("Bytes that wait."),
        max_bytes: countOf("Their bound, `--max-waiting`."),
      }),
      storage: object("The history on disk.", {
        used_bytes: countOf("Used by events and their indexes."),
        file_bytes: countOf("Taken from the disk, with space that can be used again."),
      }),
      retention: object("The rules by which old events go. `null` is a rule that is off.", {
        max_history: limitOf("Newest events to keep."),
        max_age_ms: limitOf("Age at which an event goes, in milliseconds."),
        max_bytes: limitOf("Bytes that history may take."),
        prune_interval_ms: countOf("How often the rules are applied, in milliseconds."),
      }),
    },
    stats,
  ),
  TokenInfo: object("A named token, without its secret.", tokenProperties, shopToken),
  TokenList: { type: "array", items: schemaRef("TokenInfo"), description: "Tokens by name." },
  TokenSpec: {
    type: "object",
    description: "A token to be made. A member that is not listed here is an error.",
    required: ["name"],
    properties: tokenProperties,
    additionalProperties: false,
    example: shopToken,
  },
  NewToken: object(
    "A token that was made.",
    { ...tokenProperties, secret: { type: "string", description: "Shown here and never again." } },
    newToken,
  ),
  Gap: object("Retention removed the events between `after` and `next` before they were read.", {
    type: typeOf("gap"),
    after: countOf("The last event before the gap."),
    next: countOf(
      "The first event after it. Not above `after` when that was never given here, as after a backup was restored.",
    ),
  }),
  CaughtUp: object("The replay that `since` or `last` asked for has reached the present.", {
    type: typeOf("caught_up"),
    id: countOf("The newest event of any topic at that time."),
  }),
  Ack: frame("The frame was done.", { type: typeOf("ack"), ref }),
  Published: frame("The event is on disk.", { type: typeOf("ack"), ref, event: schemaRef("Event") }, ["event"]),
  Pong: frame("The answer to a ping.", { type: typeOf("pong"), ref }),
  ErrorFrame: frame(
    "The frame was refused; the connection stays open. Other members help to mend, as in a `Problem`.",
    { type: typeOf("error"), ref, code: schemaRef("ErrorCode"), detail: problemProperties.detail, ...helpingMembers },
    ["code", "detail"],
  ),
  PublishFrame: frame(
    "Publishes an event. Answered once it is on disk.",
    {
      type: typeOf("publish"),
      ref,
      ...envelopeProperties,
    },
    ["topic"],
  ),
  SubscribeFrame: frame(
    "Wants the events of this pattern too, from the answer on.",
    { type: typeOf("subscribe"), ref, pattern },
    ["pattern"],
  ),
  UnsubscribeFrame: frame(
    "Wants the events of this pattern no more. It is no error if it was not wanted.",
    { type: typeOf("unsubscribe"), ref, pattern },
    ["pattern"],
  ),
  PingFrame: frame("Asks for a pong.", { type: typeOf("ping"), ref }),
  Problem: {
    type: "object",
    description: "An error (RFC 9457). Programs branch on `code`, people read `detail`; other members help to mend.",
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
  return object(description, { p50: quantile("Half took no longer."), p99: quantile("99 of 100 took no longer.") });
}
