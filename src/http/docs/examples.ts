import type { EventMessage, TopicSummary } from "../../protocol/event.ts";
import type { AnswerFrame, CaughtUpMessage, ClientFrame, DeliveryFrame, GapMessage } from "../../protocol/frames.ts";
import type { SubscriberInfo } from "../../protocol/subscriber.ts";

/** An order, as a shop publishes it. */
export const order = {
  order: "A-1007",
  customer: 1207,
  items: [{ sku: "mug-blue", quantity: 2, price: 12.5 }],
  total: 25,
  currency: "EUR",
};

/** A push, as GitHub's webhook sends it, shortened. */
const push = {
  ref: "refs/heads/main",
  before: "6113728f27ae82c7b1a177c8d03f9e96e0adf246",
  after: "59b20b8d5c6ff8d09518454d4dd8b7b30f095ab5",
  repository: { full_name: "Codertocat/Hello-World", private: false },
  pusher: { name: "Codertocat" },
  commits: [
    {
      id: "59b20b8d5c6ff8d09518454d4dd8b7b30f095ab5",
      message: "Update the readme",
      timestamp: "2026-11-23T15:29:41+01:00",
      modified: ["README.md"],
    },
  ],
};

export const orderEnvelope = { topic: "orders.created", data: order, source: "shop" };
export const pushEnvelope = { topic: "github.push", data: push, source: "github" };

export const orderEvent: EventMessage = { id: 42, ...orderEnvelope, created_at: "2026-11-23T14:30:00.123Z" };
export const pushEvent: EventMessage = { id: 41, ...pushEnvelope, created_at: "2026-11-23T14:29:42.007Z" };

/** A subscriber that does not read as fast as events are published. */
export const subscriber: SubscriberInfo = {
  transport: "stream",
  caller: "token reports",
  address: "192.0.2.17",
  patterns: ["orders.*"],
  state: "slow",
  lag: 1207,
  waiting_bytes: 524_288,
  connected_at: "2026-11-23T14:02:11.503Z",
};

export const gap: GapMessage = { type: "gap", after: 100, next: 251 };
export const caughtUp: CaughtUpMessage = { type: "caught_up", id: 42 };

/** An example of each frame that a WebSocket client may send. */
export const clientFrames = {
  publish: { type: "publish", ref: 1, ...orderEnvelope, data: { total: 25 } },
  subscribe: { type: "subscribe", ref: 2, pattern: "github.*" },
  unsubscribe: { type: "unsubscribe", ref: 3, pattern: "github.*" },
  consume: { type: "consume", ref: 6, consumer: "billing", credit: 100 },
  ack: { type: "ack", ref: 7, deliveries: ["k3x9q2-1a"] },
  nack: { type: "nack", ref: 8, deliveries: ["k3x9q2-1a"], delay: "10s", reason: "the payment service is down" },
  extend: { type: "extend", ref: 9, deliveries: ["k3x9q2-1a"] },
  ping: { type: "ping", ref: 4 },
} as const satisfies { [T in ClientFrame["type"]]: ClientFrame & { type: T } };

export const deliveryFrame: DeliveryFrame = {
  type: "delivery",
  consumer: "billing",
  delivery: "k3x9q2-1a",
  attempt: 1,
  event: orderEvent,
};

/** The server's responses to them. */
export const answerFrames = {
  published: { type: "ack", ref: 1, event: { ...orderEvent, data: { total: 25 } } },
  done: { type: "ack", ref: 2 },
  settled: { type: "settled", ref: 7, done: 0, unknown: ["k3x9q2-1a"] },
  pong: { type: "pong", ref: 4 },
  error: { type: "error", ref: 5, code: "topic_invalid", detail: 'an event needs a topic: {"topic":"a.b"}' },
} as const satisfies Record<string, AnswerFrame>;

export const topicSummaries: TopicSummary[] = [
  { topic: "github.push", count: 12, last_id: pushEvent.id, last_at: pushEvent.created_at },
  { topic: "orders.created", count: 30, last_id: orderEvent.id, last_at: orderEvent.created_at },
];

export const stats = {
  version: "0.1.0",
  uptime_seconds: 86_400,
  events: { count: 42, first_id: 1, last_id: 42 },
  published: 42,
  published_per_second: 0.4,
  delivered: 120,
  delivered_per_second: 1.2,
  gaps: 0,
  replays: 2,
  evictions: 0,
  commits: {
    count: 40,
    per_second: 0.4,
    events_per_commit: 1,
    commit_ms: { p50: 1.1, p99: 2.4 },
    fsync_ms: { p50: 0.9, p99: 2.1 },
  },
  subscribers: { websocket: { live: 3, replay: 1 }, stream: { live: 2, replay: 0 } },
  replay: { near: { subscribers: 1, lag: 12 }, far: { subscribers: 0, lag: 0 }, share: 0.03 },
  waiting: { bytes: 0, max_bytes: 268_435_456 },
  storage: { used_bytes: 53_248, file_bytes: 69_632 },
  retention: { max_history: 100_000, max_age_ms: null, max_bytes: null, prune_interval_ms: 60_000 },
};

/** JSON text, one value per line. */
export function toLines(values: readonly unknown[]): string {
  return values.map((value) => `${JSON.stringify(value)}\n`).join("");
}
