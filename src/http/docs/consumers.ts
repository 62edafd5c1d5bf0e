import type {
  ConsumerInfo,
  ConsumerSettings,
  DeadEvent,
  DeliveryMessage,
  PushAttempt,
  PushSettings,
  Settled,
} from "../../protocol/consumer.ts";
import { orderEvent, toLines } from "./examples.ts";
import {
  content,
  contentOfMany,
  inPath,
  jsonAnswer,
  nextPage,
  type Parameters,
  type Responses,
  schemaRef,
} from "./openapi.ts";
import type { RouteDocs } from "./route.ts";

export const billingSettings: ConsumerSettings & { since: string } = {
  pattern: ["orders.*"],
  since: "now",
  order: "topic",
  ack_timeout: "30s",
  max_attempts: 10,
  retry: ["1s", "10s", "1m", "10m"],
  max_in_flight: 1000,
  push: null,
};
const { since: _, ...settings } = billingSettings;
const push: PushSettings = {
  url: "https://example.com/hooks/orders",
  headers: { Authorization: "…" },
  timeout: "15s",
  concurrency: 8,
};
const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
export const billing: ConsumerInfo = {
  name: "billing",
  ...settings,
  place: 41,
  lag: 3,
  lag_is_exact: true,
  in_flight: 2,
  retrying: 1,
  dead: 0,
  oldest_unacked_at: "2026-11-23T14:30:00.123Z",
  paused: false,
  last_error: "the payment service is down",
  gaps: 0,
  acknowledged: 38,
  failed: 1,
};

/** The name in the path. */
const consumerName: Parameters = [
  inPath("name", "The name of the consumer.", { type: "string", minLength: 1, maxLength: 64 }, "billing"),
];

/** What the operations on one consumer share. */
const ofConsumer = { tag: "Consume", parameters: consumerName } as const;
const theConsumer = jsonAnswer("The consumer.", "Consumer", billing);
const newConsumer = {
  description: "The consumer.",
  content: contentOfMany("application/json", schemaRef("ConsumerWithSecret"), {
    "a consumer that workers take from": billing,
    "a consumer that pushes": { ...billing, push, secret },
  }),
};
const CHANGE_ERRORS = ["parameter_unknown", "not_found", "unavailable", "storage_full"] as const;

export const listConsumersDocs: RouteDocs = {
  operationId: "listConsumers",
  tag: "Consume",
  summary: "List the consumers",
  description: "Their settings and state, sorted by name.",
  answers: {
    200: jsonAnswer("The consumers; an empty array when there are none.", "ConsumerList", [billing]),
  },
  errors: ["parameter_unknown", "unavailable"],
};

export const setConsumerDocs: RouteDocs = {
  operationId: "setConsumer",
  ...ofConsumer,
  summary: "Create a consumer, or change its settings",
  description: `\
A consumer is a name under which the server keeps a place. Each matching event goes to one of the clients that take from it,
and comes again until it is acknowledged: at least once, to one at a time.

The body has all settings; an omitted one takes its default. A change keeps the place, and \`since\` counts only for a new
consumer. After a change of \`pattern\` or \`order\`, events after the oldest one that is not acknowledged are delivered again.

With \`push\`, the server posts each event to the address, signed by [Standard Webhooks](https://www.standardwebhooks.com):
\`webhook-id\` (the same for each attempt), \`webhook-timestamp\`, \`webhook-signature\`; the body is the event as JSON. The
\`secret\` is returned only here. 2xx acknowledges, 410 pauses the consumer, everything else is a failed attempt; 429 and 503
may have \`Retry-After\`. Addresses that are not public are refused unless \`--push-allow\` allows them.

\`\`\`sh
curl -X PUT http://127.0.0.1:9800/api/consumers/billing -d '{"pattern":["orders.*"]}'
\`\`\``,
  body: content("application/json", schemaRef("ConsumerSettings"), billingSettings),
  answers: { 200: { ...newConsumer, description: "Changed." }, 201: { ...newConsumer, description: "Created." } },
  errors: [
    "json_invalid",
    "pattern_invalid",
    "parameter_invalid",
    "payload_too_large",
    "media_type_unsupported",
    ...CHANGE_ERRORS.filter((code) => code !== "not_found"),
  ],
};

export const consumerDocs: RouteDocs = {
  operationId: "consumer",
  ...ofConsumer,
  summary: "Get a consumer",
  description: "Its settings and state.",
  answers: { 200: theConsumer },
  errors: ["parameter_unknown", "not_found", "unavailable"],
};

export const deleteConsumerDocs: RouteDocs = {
  operationId: "deleteConsumer",
  ...ofConsumer,
  summary: "Delete a consumer",
  description: "Deletes its place, and what it has given up. The events stay in the history.",
  answers: { 204: { description: "Deleted." } },
  errors: CHANGE_ERRORS,
};

export const pauseConsumerDocs: RouteDocs = {
  operationId: "pauseConsumer",
  ...ofConsumer,
  summary: "Pause a consumer",
  description: "It hands out nothing until it is resumed. What is out can still be acknowledged.",
  answers: { 200: theConsumer },
  errors: CHANGE_ERRORS,
};

export const resumeConsumerDocs: RouteDocs = {
  operationId: "resumeConsumer",
  ...ofConsumer,
  summary: "Resume a paused consumer",
  description: "It continues at its place.",
  answers: { 200: theConsumer },
  errors: CHANGE_ERRORS,
};

export const rotateSecretDocs: RouteDocs = {
  operationId: "rotateSecret",
  ...ofConsumer,
  summary: "Sign with a new secret",
  description: "The response contains it, and nothing else does. The one before signs too for another 24 hours.",
  answers: {
    200: jsonAnswer("The consumer, with its new secret.", "ConsumerWithSecret", { ...billing, push, secret }),
  },
  errors: ["parameter_invalid", ...CHANGE_ERRORS],
};

const attempt: PushAttempt = {
  event_id: 42,
  attempt: 1,
  at: "2026-11-23T14:30:00.200Z",
  status: 503,
  duration_ms: 31,
  error: "the endpoint answered 503",
};

export const attemptsDocs: RouteDocs = {
  operationId: "attempts",
  ...ofConsumer,
  summary: "List the newest attempts to push",
  description: "The newest 100 since the server started, the newest first.",
  answers: {
    200: jsonAnswer("The attempts; an empty array when there are none.", "AttemptList", [attempt]),
  },
  errors: ["parameter_unknown", "not_found"],
};

export const seekConsumerDocs: RouteDocs = {
  operationId: "seekConsumer",
  ...ofConsumer,
  summary: "Move a consumer to another place",
  description: `\
It continues where a subscriber with this \`since\` would start, backwards or forwards. What is out or waits for another
attempt is taken back. What was given up stays given up.`,
  body: content("application/json", schemaRef("Seek"), { since: "10m" }),
  answers: { 200: theConsumer },
  errors: ["json_invalid", "parameter_invalid", "payload_too_large", "media_type_unsupported", ...CHANGE_ERRORS],
};

export const orderDelivery: DeliveryMessage = { delivery: "k3x9q2-1a", attempt: 1, event: orderEvent };
const gapDelivery: DeliveryMessage = { delivery: "k3x9q2-1b", attempt: 1, gap: { after: 100, next: 251 } };
export const settledExample: Settled = { done: 1, unknown: ["k3x9q2-17"] };
export const deadOrder: DeadEvent = {
  id: 42,
  attempts: 10,
  reason: "the payment service is down",
  dead_at: "2026-11-23T15:02:11.000Z",
  event: orderEvent,
};

const BODY_ERRORS = [
  "json_invalid",
  "parameter_invalid",
  "parameter_unknown",
  "not_found",
  "payload_too_large",
  "media_type_unsupported",
] as const;

export const takeDocs: RouteDocs = {
  operationId: "take",
  ...ofConsumer,
  summary: "Take deliveries",
  description: `\
Returns deliveries, oldest event first, and waits for the first one if \`wait\` is given. Each is yours until you
acknowledge it, or until \`ack_timeout\` has passed: then it goes to the next one who takes. A response has about a megabyte
at most.

What retention has removed comes like an event, in its place, as a \`gap\`. Acknowledge it, too.

\`\`\`sh
curl -X POST 'http://127.0.0.1:9800/api/consumers/billing/take?max=10&wait=30s'
\`\`\``,
  answers: {
    200: {
      description: "The deliveries; an empty array if none came in time.",
      content: {
        ...contentOfMany("application/json", schemaRef("DeliveryList"), {
          "an event": [orderDelivery],
          "a gap": [gapDelivery],
          nothing: [],
        }),
        ...content(
          "application/x-ndjson",
          { type: "string", description: "A `Delivery` as JSON on each line." },
          toLines([orderDelivery]),
        ),
      },
    },
  },
  errors: ["parameter_invalid", "parameter_unknown", "not_found"],
};

const settled: Responses = {
  200: jsonAnswer(
    "How many were done. A delivery that was settled already, or was taken back, is unknown.",
    "Settled",
    settledExample,
  ),
};
const deliveries = content("application/json", schemaRef("Deliveries"), { deliveries: ["k3x9q2-1a"] });

export const ackDocs: RouteDocs = {
  operationId: "ack",
  ...ofConsumer,
  summary: "Acknowledge deliveries",
  description: `\
The work is done, and they do not come again. That is saved with the next publish, or within 200 milliseconds: a crash of
the server before then delivers them again.`,
  body: deliveries,
  answers: settled,
  errors: BODY_ERRORS,
};

export const nackDocs: RouteDocs = {
  operationId: "nack",
  ...ofConsumer,
  summary: "Report that the work failed",
  description: `\
The next attempt follows after \`delay\`, or by the consumer's schedule \`retry\`. After \`max_attempts\` the event is given
up: see \`GET /api/consumers/{name}/dead\`.`,
  body: content("application/json", schemaRef("Nack"), {
    deliveries: ["k3x9q2-1a"],
    delay: "10s",
    reason: "the payment service is down",
  }),
  answers: settled,
  errors: BODY_ERRORS,
};

export const extendDocs: RouteDocs = {
  operationId: "extend",
  ...ofConsumer,
  summary: "Keep deliveries for longer",
  description: "Each may be out for another `ack_timeout` from now.",
  body: deliveries,
  answers: settled,
  errors: BODY_ERRORS,
};

export const deadDocs: RouteDocs = {
  operationId: "dead",
  ...ofConsumer,
  summary: "List the events that were given up",
  description: `\
Sorted by id, with the number of attempts and why the last one failed. The header \`Link\` has the address of the next page,
when there is one.`,
  answers: {
    200: {
      ...jsonAnswer("The events; an empty array when there are none.", "DeadList", [deadOrder]),
      headers: nextPage('<dead?limit=100&after=42>; rel="next"'),
    },
  },
  errors: ["parameter_invalid", "parameter_unknown", "not_found", "unavailable"],
};

const done: Responses = { 200: jsonAnswer("How many.", "Done", { done: 1 }) };
const someIds = content("application/json", schemaRef("Ids"), { ids: [42] });

export const retryDeadDocs: RouteDocs = {
  operationId: "retryDead",
  ...ofConsumer,
  summary: "Try again what was given up",
  description: "With all attempts: the events with these ids, or all of them when `ids` is omitted.",
  body: someIds,
  answers: done,
  errors: [...BODY_ERRORS, "unavailable", "storage_full"],
};

export const deleteDeadDocs: RouteDocs = {
  operationId: "deleteDead",
  ...ofConsumer,
  summary: "Forget what was given up",
  description: "The events with these ids, or all of them when `ids` is omitted. They stay in the history.",
  body: someIds,
  answers: done,
  errors: [...BODY_ERRORS, "unavailable", "storage_full"],
};
