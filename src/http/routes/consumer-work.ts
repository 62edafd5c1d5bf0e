import type { Consumer } from "../../bus/consumers/consumer.ts";
import type { Consumers } from "../../bus/consumers/consumers.ts";
import { durationOf } from "../../bus/consumers/duration.ts";
import { parseDelay } from "../../bus/consumers/settings.ts";
import type { DeadTask } from "../../bus/consumers/task.ts";
import type { PushAttempt, Settled } from "../../protocol/consumer.ts";
import type { Callers } from "../access/gate.ts";
import {
  ackDocs,
  attemptsDocs,
  deadDocs,
  deleteDeadDocs,
  extendDocs,
  nackDocs,
  retryDeadDocs,
  takeDocs,
} from "../docs/consumers.ts";
import type { Waiting } from "../limits/waiting.ts";
import { deliveriesOf, idsOf, membersOf, reasonOf } from "../request/consumer-body.ts";
import type { Members } from "../request/members.ts";
import { integer, MAX_ID, Query, text, type ValuesOf } from "../request/query.ts";
import { json, jsonText } from "../response/answer.ts";
import { arrayBody } from "../response/array-body.ts";
import { nextLink } from "../response/next-link.ts";
import type { Takes } from "../stream/takes.ts";
import { consumerNamed } from "./consumers.ts";
import { type Call, type Route, route } from "./route.ts";

/** The latest push attempts of a consumer. */
export type AttemptsOf = (name: string) => readonly PushAttempt[];

const PATH = "/api/consumers/:name";
/** Deliveries of one call; a worker should take no more than it can do within `ack_timeout`. */
const MAX_TAKEN = 1000;
const DEFAULT_TAKEN = 10;
/** Proxies cut requests that wait for longer. */
const MAX_WAIT_MS = 120_000;
/** How long a request that waits for that long may take, with time to spare. */
const TAKE_SECONDS = 150;
/** Maximum number of given-up deliveries in one response, each with its event. */
const MAX_DEAD_LIMIT = 1000;
const DEFAULT_DEAD_LIMIT = 100;

const takeQuery = new Query({
  max: integer(1, MAX_TAKEN, "The maximum number of deliveries.", DEFAULT_TAKEN),
  wait: text(
    (value) => durationOf("wait", value, 0, MAX_WAIT_MS),
    "How long to wait if there is nothing to deliver, such as `30s`; at most `2m`.",
    { default: "0s" },
  ),
});

const deadQuery = new Query({
  after: integer(0, MAX_ID, "Only events with a greater id."),
  limit: integer(1, MAX_DEAD_LIMIT, "The maximum number of events to return.", DEFAULT_DEAD_LIMIT),
});

/** Working for a consumer: take, ack, nack, extend, and what was given up. */
export function consumerWorkRoutes(
  consumers: Consumers,
  takes: Takes,
  attemptsOf: AttemptsOf,
  callers: Callers,
  waiting: Waiting,
): Route[] {
  const settled =
    (known: readonly string[], work: (consumer: Consumer, members: Members) => Settled) =>
    async (call: Call<unknown>) => {
      const members = await membersOf(call.request, known, '{"deliveries":["…"]}');
      callers.requireValid(call.caller);
      return json(work(consumerNamed(consumers, call), members));
    };
  return [
    route({
      method: "POST",
      path: `${PATH}/take`,
      access: "consume",
      isRepeatable: true,
      maxSeconds: TAKE_SECONDS,
      query: takeQuery,
      docs: takeDocs,
      handle: (call) => {
        const { max, wait } = call.query;
        const consumer = consumerNamed(consumers, call);
        return takes.take(consumer, max[0] ?? DEFAULT_TAKEN, wait[0] ?? 0, call.request, call.caller);
      },
    }),
    route({
      method: "POST",
      path: `${PATH}/ack`,
      access: "consume",
      isRepeatable: true,
      docs: ackDocs,
      handle: settled(["deliveries"], (consumer, members) => consumer.ack(deliveriesOf(members))),
    }),
    route({
      method: "POST",
      path: `${PATH}/nack`,
      access: "consume",
      isRepeatable: true,
      docs: nackDocs,
      handle: settled(["deliveries", "delay", "reason"], (consumer, members) => {
        const delay = members.value("delay");
        const delayMs = delay === undefined ? undefined : parseDelay(delay);
        return consumer.nack(deliveriesOf(members), reasonOf(members), delayMs);
      }),
    }),
    route({
      method: "POST",
      path: `${PATH}/extend`,
      access: "consume",
      isRepeatable: true,
      docs: extendDocs,
      handle: settled(["deliveries"], (consumer, members) => consumer.extend(deliveriesOf(members))),
    }),
    route({
      method: "GET",
      path: `${PATH}/attempts`,
      access: "consume",
      docs: attemptsDocs,
      handle: (call) => json(attemptsOf(consumerNamed(consumers, call).name)),
    }),
    ...deadRoutes(consumers, callers, waiting),
  ];
}

/** What was given up: list, retry, delete. */
function deadRoutes(consumers: Consumers, callers: Callers, waiting: Waiting): Route[] {
  const counted =
    (work: (name: string, ids: ReadonlySet<number> | undefined) => Promise<number>) => async (call: Call<unknown>) => {
      const members = await membersOf(call.request, ["ids"], '{"ids":[42]}');
      callers.requireValid(call.caller);
      return json({ done: await work(consumerNamed(consumers, call).name, idsOf(members)) });
    };
  return [
    route({
      method: "GET",
      path: `${PATH}/dead`,
      access: "consume",
      query: deadQuery,
      docs: deadDocs,
      handle: (call) => dead(consumerNamed(consumers, call), call, waiting),
    }),
    route({
      method: "POST",
      path: `${PATH}/dead/retry`,
      access: "consume",
      docs: retryDeadDocs,
      handle: counted((name, ids) => consumers.retryDead(name, ids)),
    }),
    route({
      method: "DELETE",
      path: `${PATH}/dead`,
      access: "consume",
      docs: deleteDeadDocs,
      handle: counted((name, ids) => consumers.removeDead(name, ids)),
    }),
  ];
}

function dead(consumer: Consumer, { request, query }: Call<ValuesOf<typeof deadQuery>>, waiting: Waiting): Response {
  const {
    after,
    limit: [limit = DEFAULT_DEAD_LIMIT],
  } = query;
  const found = consumer.dead.page(after[0] ?? 0, limit + 1);
  const shown = found.slice(0, limit);
  const last = shown.at(-1);
  const hasMore = found.length > limit && last !== undefined;
  const texts = shown.map((task) => deadText(task, consumer));
  return jsonText(
    arrayBody(texts, waiting),
    hasMore ? { Link: nextLink(request.url, { after: String(last.id) }) } : undefined,
  );
}

/** The event is as it was published. */
function deadText({ id, attempts, reason, deadAtMs }: DeadTask, consumer: Consumer): string {
  const head = JSON.stringify({ id, attempts, reason, dead_at: new Date(deadAtMs).toISOString() });
  return `${head.slice(0, -1)},"event":${consumer.eventOf(id)?.json ?? "null"}}`;
}
