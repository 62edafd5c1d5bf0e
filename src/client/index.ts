import { EventBusClient } from "./client.ts";
import type { Addresses } from "./http.ts";
import type { ConnectOptions } from "./options.ts";

export type {
  ConsumerInfo,
  ConsumerSettings,
  ConsumerWithSecret,
  DeadEvent,
  DeliveredGap,
  Order,
  PushAttempt,
  PushSettings,
} from "../protocol/consumer.ts";
export type { EventMessage, TopicSummary } from "../protocol/event.ts";
export type { ErrorCode, Problem, ProblemMembers } from "../protocol/problem.ts";
export type { SubscriberInfo, SubscriberState } from "../protocol/subscriber.ts";
export type { NewToken, TokenInfo } from "../protocol/token.ts";
export type { ConsumerCalls, ConsumerOptions, DeadOptions, DeadPageOptions } from "./consumers/consumers.ts";
export type { ConsumeOptions, Consumption, Delivery, NackOptions } from "./consumers/consumption.ts";
export {
  type PushedMessage,
  type VerifyWebhookOptions,
  verifyWebhook,
  type WebhookHeaders,
} from "./consumers/webhook.ts";
export { EventBusError, type EventBusErrorCode, type EventBusErrorDetails } from "./errors.ts";
export type { Addresses, Fetch, Token } from "./http.ts";
export type {
  CallOptions,
  ConnectOptions,
  Envelope,
  HistoryQuery,
  NewTokenOptions,
  PublishedRange,
  PublishOneOptions,
  PublishOptions,
  SubscribersOptions,
  TopicPagesOptions,
} from "./options.ts";
export type { ReceivedEvent } from "./received-event.ts";
export type { ConnectionState } from "./reconnect.ts";
export type { ClusterStats, Stats, SubscriberCounts } from "./stats.ts";
export type { Gap, SubscribeOptions, Subscription } from "./subscription.ts";
export type { EventBusClient };

/**
 * The client of an eventbus server, for browsers, Bun and Node 20 or later. Sends nothing yet.
 *
 * `url` is the server's address, such as `http://127.0.0.1:9800`, with the path it is served under, if any; or those of
 * several nodes of a cluster, as an array or separated by commas. The first one is used until it fails; then calls are
 * repeated, and subscriptions resume, at the next one. Throws an `EventBusError` `parameter_invalid` when an address is
 * not an HTTP URL, or an option is out of bounds.
 *
 * @example
 * const bus = connect("http://127.0.0.1:9800", { token: "ebt_…" });
 * await bus.publish("orders.created", { total: 1.1 }, { source: "shop" });
 * for await (const event of bus.subscribe("orders.*", { since: "all" })) console.log(event.id, event.data);
 */
export function connect(url: Addresses, options: ConnectOptions = {}): EventBusClient {
  return new EventBusClient(url, options);
}
