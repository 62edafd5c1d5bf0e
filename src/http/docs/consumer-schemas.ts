import { type ConsumerInfo, type ConsumerSettings, ORDERS, type Settled } from "../../protocol/consumer.ts";
import { billing, billingSettings, deadOrder, orderDelivery, settledExample } from "./consumers.ts";
import { count, countOf, createdAt, eventId, object, patterns, type Schema, schemaRef } from "./openapi.ts";

const duration = (description: string): Schema => ({
  type: "string",
  pattern: "^\\d{1,9}(ms|s|m|h|d)$",
  description,
});

const consumerSettings = {
  pattern: { ...patterns("An event that matches any of them is delivered."), minItems: 1 },
  order: {
    type: "string",
    enum: [...ORDERS],
    description:
      "`none`: in parallel. `topic` (default): the events of one topic one after another. `all`: all events one after another.",
  },
  ack_timeout: duration("How long a delivery may be out before it is taken back; default `30s`."),
  max_attempts: { type: "integer", minimum: 1, description: "Attempts after which an event is given up; default 10." },
  retry: {
    type: "array",
    minItems: 1,
    maxItems: 32,
    items: duration("A delay."),
    description: "How long to wait before the second attempt, the third, and so on; the last one is repeated.",
  },
  max_in_flight: {
    type: "integer",
    minimum: 1,
    maximum: 100_000,
    description: "Maximum number of deliveries that are out at a time; default 1000.",
  },
  push: {
    type: "object",
    nullable: true,
    description: "Where the server posts the events; `null`: it does not.",
    required: ["url"],
    additionalProperties: false,
    properties: {
      url: { type: "string", maxLength: 2048, description: "An address of http or https, without credentials." },
      headers: {
        type: "object",
        additionalProperties: { type: "string", maxLength: 1024 },
        description: "Sent with every request, at most 16. Their values are not shown.",
      },
      timeout: duration("How long the endpoint may take to answer, at most `2m`; default `15s`."),
      concurrency: {
        type: "integer",
        minimum: 1,
        maximum: 256,
        description: "Requests that may be under way at a time; default 8.",
      },
    },
  },
} satisfies Record<keyof ConsumerSettings, Schema>;

const since: Schema = {
  type: "string",
  description: "Where to begin, as in subscribing: an event id, a time, a duration ago, `all` or `now`.",
};

const consumerProperties = {
  name: { type: "string", description: "Its name." },
  ...consumerSettings,
  place: countOf(
    "Every event up to this id is acknowledged, waits for another attempt, is given up, or does not match.",
  ),
  lag: countOf("Matching events that are neither acknowledged nor given up."),
  lag_is_exact: {
    type: "boolean",
    description: "False while `lag` is still being counted: then there are at least that many.",
  },
  in_flight: countOf("Deliveries that are out."),
  retrying: countOf("Events that failed and wait for another attempt."),
  dead: countOf("Events that were given up."),
  oldest_unacked_at: {
    ...createdAt,
    nullable: true,
    description: "When the oldest event that is out, or waits for another attempt, was published.",
  },
  paused: { type: "boolean", description: "It hands out nothing until it is resumed." },
  last_error: { type: "string", nullable: true, description: "Why the last attempt failed, or why it was paused." },
  gaps: countOf("Gaps delivered since the consumer was created."),
  acknowledged: countOf("Deliveries acknowledged since the server started."),
  failed: countOf("Attempts that failed since the server started."),
} satisfies Record<keyof ConsumerInfo, Schema>;

const deliveryName: Schema = { type: "string", description: "Names this attempt, to acknowledge it." };
/** Deliveries, by name. */
export const deliveryNames: Schema = {
  type: "array",
  maxItems: 10_000,
  items: deliveryName,
  description: "Some deliveries.",
};

/** An object with no other members; those that are not `required` are optional. */
function body(description: string, properties: Record<string, Schema>, required: readonly string[], example: unknown) {
  const schema: Schema = { type: "object", description, properties, additionalProperties: false, example };
  return required.length === 0 ? schema : { ...schema, required: [...required] };
}

/** The members of a delivery. */
export const deliveryProperties = {
  delivery: deliveryName,
  attempt: { ...count, minimum: 1, description: "1 for the first." },
  event: schemaRef("Event"),
  gap: object("Events that are missing, between these ids.", {
    after: countOf("The last event before the gap."),
    next: countOf("The first event after it."),
  }),
} satisfies Record<string, Schema>;

/** The members of a report that the work failed. */
export const nackProperties = {
  deliveries: deliveryNames,
  delay: duration("How long to wait before the next attempt. Default: by the schedule of the consumer."),
  reason: {
    type: "string",
    description: "Why. It is shown with events that were given up; 500 characters are kept.",
  },
} satisfies Record<string, Schema>;

/** What became of deliveries. */
export const settledProperties = {
  done: countOf("How many were done."),
  unknown: { type: "array", items: deliveryName, description: "Those that were settled already, or taken back." },
} satisfies Record<keyof Settled, Schema>;

/** The schemas of consumers, by name. */
export const consumerSchemas: Readonly<Record<string, Schema>> = {
  Consumer: object("A consumer: its settings and its state.", consumerProperties, billing),
  ConsumerWithSecret: {
    ...object("A consumer, with the secret of its push if that is new.", {
      ...consumerProperties,
      secret: { type: "string", description: "Verifies what is pushed; returned only once, here." },
    }),
    required: Object.keys(consumerProperties),
  },
  AttemptList: {
    type: "array",
    description: "Attempts to push, newest first.",
    items: object("One attempt to push an event.", {
      event_id: eventId,
      attempt: { ...count, minimum: 1, description: "1 for the first." },
      at: { type: "string", format: "date-time", description: "When it ended." },
      status: { type: "integer", nullable: true, description: "The status of the answer; `null` if there was none." },
      duration_ms: countOf("How long it took, in milliseconds."),
      error: { type: "string", nullable: true, description: "Why it failed; `null` if it did not." },
    }),
  },
  ConsumerList: { type: "array", items: schemaRef("Consumer"), description: "Consumers by name." },
  ConsumerSettings: body(
    "The settings of a consumer. A member not listed here is an error.",
    { ...consumerSettings, since },
    ["pattern"],
    billingSettings,
  ),
  Seek: body("Where to continue.", { since }, ["since"], { since: "10m" }),
  Delivery: {
    type: "object",
    description: "One attempt to deliver one event, or one gap.",
    required: ["delivery", "attempt"],
    properties: deliveryProperties,
    example: orderDelivery,
  },
  DeliveryList: { type: "array", items: schemaRef("Delivery"), description: "Deliveries, oldest event first." },
  Deliveries: body("Some deliveries.", { deliveries: deliveryNames }, ["deliveries"], { deliveries: ["k3x9q2-1a"] }),
  Nack: body("Deliveries that failed.", nackProperties, ["deliveries"], { deliveries: ["k3x9q2-1a"], delay: "10s" }),
  Settled: object("What became of the deliveries.", settledProperties, settledExample),
  DeadEvent: object(
    "An event that was given up.",
    {
      id: eventId,
      attempts: countOf("How often it was tried."),
      reason: { type: "string", description: "Why the last attempt failed." },
      dead_at: { type: "string", format: "date-time", description: "When it was given up." },
      event: {
        type: "object",
        allOf: [schemaRef("Event")],
        nullable: true,
        description: "The event; `null` if retention has removed it, or it is damaged.",
      },
    },
    deadOrder,
  ),
  DeadList: { type: "array", items: schemaRef("DeadEvent"), description: "Events that were given up, by id." },
  Ids: body("Which events; all of them if `ids` is omitted.", { ids: { type: "array", items: eventId } }, [], {
    ids: [42],
  }),
  Done: object("How many.", { done: countOf("How many.") }),
};
