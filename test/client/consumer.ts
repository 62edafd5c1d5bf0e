// A user's program: it uses everything that `eventbus/client` exports. The test copies it into a
// project of its own, where the import is `eventbus/client`.
import {
  type Addresses,
  type CallOptions,
  type ClusterStats,
  type ConnectionState,
  type ConnectOptions,
  type ConsumeOptions,
  type ConsumerCalls,
  type ConsumerInfo,
  type ConsumerOptions,
  type ConsumerSettings,
  type ConsumerWithSecret,
  type Consumption,
  connect,
  type DeadEvent,
  type DeadOptions,
  type DeadPageOptions,
  type DeliveredGap,
  type Delivery,
  type Envelope,
  type ErrorCode,
  type EventBusClient,
  EventBusError,
  type EventBusErrorCode,
  type EventBusErrorDetails,
  type EventMessage,
  type Fetch,
  type Gap,
  type HistoryQuery,
  type NackOptions,
  type NewToken,
  type NewTokenOptions,
  type Order,
  type Problem,
  type ProblemMembers,
  type PublishedRange,
  type PublishOneOptions,
  type PublishOptions,
  type PushAttempt,
  type PushedMessage,
  type PushSettings,
  type ReceivedEvent,
  type Stats,
  type SubscribeOptions,
  type SubscriberCounts,
  type SubscriberInfo,
  type SubscriberState,
  type SubscribersOptions,
  type Subscription,
  type Token,
  type TokenInfo,
  type TopicPagesOptions,
  type TopicSummary,
  type VerifyWebhookOptions,
  verifyWebhook,
  type WebhookHeaders,
} from "../../src/client/index.ts";

export async function consume(url: string): Promise<string[]> {
  const said: string[] = [];
  const token: Token = async () => "ebt_unused";
  const ownFetch: Fetch = (input, init) => fetch(input, init);
  const options: ConnectOptions = { token, fetch: ownFetch, timeoutMs: 10_000, silenceMs: undefined };
  const addresses: Addresses = [new URL(url), url];
  const bus: EventBusClient = connect(addresses, options);

  const publishOptions: PublishOptions = { idempotencyKey: "key-1" };
  const oneOptions: PublishOneOptions = { ...publishOptions, source: "consumer" };
  const event: ReceivedEvent = await bus.publish("fresh.first", { total: 1.1 }, oneOptions);
  const message: EventMessage = await bus.publishRaw("fresh.second", "12345678901234567890");
  const envelopes: Envelope[] = [{ topic: "fresh.third" }, { topic: "fresh.fourth", data: [1], source: "consumer" }];
  const range: PublishedRange = await bus.publishMany(new Set(envelopes));
  said.push(`published ${event.id} ${message.id} ${range.first_id}-${range.last_id} ${event.rawData}`);

  const query: HistoryQuery = { topic: "fresh.*", last: 10, from: new Date(0), source: undefined };
  const topics: string[] = (await bus.history(query)).map(({ topic }) => topic);
  said.push(`history ${topics.join(" ")}`);

  const states: ConnectionState["kind"][] = [];
  const subscribeOptions: SubscribeOptions = {
    since: "all",
    onGap: ({ after, next }: Gap) => said.push(`gap ${after} ${next}`),
    onCaughtUp: (id) => said.push(`caught up ${id}`),
    onState: (state) => states.push(state.kind),
  };
  const subscription: Subscription = bus.subscribe(["fresh.*"], subscribeOptions);
  await subscription.opened;
  for await (const { id, rawData, json } of subscription) {
    said.push(`received ${id} ${rawData} ${json.length}`);
    if (id === range.last_id) break;
  }
  said.push(`states ${states.join(" ")} after ${subscription.lastId}`);

  const call: CallOptions = { signal: new AbortController().signal };
  const summary: TopicSummary | undefined = (await bus.topics("fresh.first", call))[0];
  const pages: TopicPagesOptions = { ...call, after: "fresh.first", limit: 2 };
  for await (const page of bus.topicPages("fresh.*", pages))
    said.push(`page ${page.map(({ topic }) => topic).join(" ")}`);
  const stats: Stats = await bus.stats(call);
  const counts: SubscriberCounts = stats.subscribers.websocket;
  const cluster: ClusterStats | undefined = stats.cluster;
  said.push(`topics ${summary?.count} stats ${stats.events.last_id} ${counts.live}`, await refused(bus));
  const few: SubscribersOptions = { ...call, limit: 10 };
  const subscribers: SubscriberInfo[] = await bus.subscribers(few);
  const subscriberStates: SubscriberState[] = subscribers.map(({ state }) => state);
  if (subscriberStates.length > 10) said.push("too many subscribers");
  if (cluster !== undefined) said.push(cluster.name);
  const typed: ReceivedEvent<{ total: number }> = await bus.event<{ total: number }>(event.id);
  const totals: Subscription<{ total: number }> = bus.subscribe<{ total: number }>("fresh.first");
  totals.close();
  said.push(`total ${typed.data.total + 1}`);
  said.push(await shareWork(bus), await receive(), await manageTokens(bus, url));
  bus.close();
  return said;
}

async function manageTokens(bus: EventBusClient, url: string): Promise<string> {
  const options: NewTokenOptions = { admin: true, subscribe: ["fresh.*"] };
  const made: NewToken = await bus.createToken("consumer", options);
  const admin = connect(url, { token: made.secret });
  await admin.createToken("other", { publish: ["*"], expiresAt: new Date(Date.now() + 60_000) });
  await admin.revokeToken("other");
  const tokens: TokenInfo[] = await admin.tokens();
  const seen = await admin.history({ last: 10 });
  admin.close();
  return `tokens ${tokens.map(({ name }) => name).join(" ")} see ${seen.length}`;
}

async function shareWork(bus: EventBusClient): Promise<string> {
  const consumers: ConsumerCalls = bus.consumers;
  const order: Order = "topic";
  const wanted: ConsumerOptions = { pattern: ["fresh.*"], since: "all", order };
  const settings: ConsumerSettings = await consumers.set("work", wanted);
  const taking: ConsumeOptions = { credit: 1 };
  const consumption: Consumption = bus.consume("work", taking);
  const { value } = await consumption.next();
  const delivery: Delivery | undefined = value;
  const gap: DeliveredGap | undefined = delivery?.gap;
  const later: NackOptions = { reason: "not now" };
  const isKnown = await (gap === undefined ? delivery?.ack() : delivery?.nack(later));
  consumption.close();
  const all: DeadOptions = {};
  const firstPage: DeadPageOptions = { limit: 10 };
  const dead: DeadEvent[] = await consumers.deadPage("work", firstPage);
  for await (const one of consumers.dead("work")) if (!dead.some(({ id }) => id === one.id)) dead.push(one);
  const retried = await consumers.retryDead("work", all);
  const info: ConsumerInfo = await consumers.get("work");
  await consumers.delete(info.name);
  const pushed: ConsumerWithSecret = await consumers.set("hook", {
    pattern: ["none"],
    push: { url: "http://127.0.0.1/" },
  });
  const push: PushSettings | null = pushed.push;
  const attempts: PushAttempt[] = await consumers.attempts(pushed.name);
  await consumers.delete(pushed.name);
  return `hook ${push?.url} ${pushed.secret?.slice(0, 6)} ${attempts.length} work ${settings.order} ${delivery?.event?.id} ${isKnown} ${dead.length} ${retried}`;
}

/** The example of Standard Webhooks: it is not an event, but it is signed. */
async function receive(): Promise<string> {
  const headers: WebhookHeaders = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
  };
  const options: VerifyWebhookOptions = { now: new Date(1614265330_000), toleranceSeconds: 1 };
  const verifying: Promise<PushedMessage> = verifyWebhook(
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    headers,
    '{"test": 2432232314}',
    options,
  );
  return verifying.then(
    ({ id }) => `verified ${id}`,
    (error) => `verified ${error instanceof EventBusError ? error.code : error}`,
  );
}

async function refused(bus: EventBusClient): Promise<string> {
  try {
    return `event ${(await bus.event(1_000_000)).id}`;
  } catch (error) {
    if (!(error instanceof EventBusError)) throw error;
    const code: EventBusErrorCode = error.code;
    const problem: Problem | undefined = error.problem;
    const members: ProblemMembers = problem ?? {};
    const serverCode: ErrorCode | undefined = problem?.code;
    const details: EventBusErrorDetails = { status: error.status, problem, retryAfterMs: error.retryAfterMs };
    return `refused ${code} ${serverCode} ${details.status} ${members.oldest}`;
  }
}
