import { closeCode } from "../../protocol/frames.ts";
import type { Sender } from "../access/proxies.ts";
import { answerFrames, caughtUp, clientFrames, deliveryFrame, gap, orderEvent } from "./examples.ts";
import { accessTokenParameter, asyncApiSchemes, type Schema } from "./openapi.ts";
import { schemas } from "./schemas.ts";
import { PROMISE } from "./subscribe.ts";

/** Where programs find the document. */
export const ASYNCAPI_PATH = "/asyncapi.json";

const DESCRIPTION = `\
The WebSocket of eventbus. Everything else is HTTP and is described by the OpenAPI document at \`/swagger/json\`.

${PROMISE}

An invalid request is rejected before the upgrade, with a problem (RFC 9457). Later the server closes with
${closeCode.policy} when the token has expired or been revoked, ${closeCode.tooBig} when a frame is larger than 1 MiB,
${closeCode.restart} when it stops (connect again, with \`since=\` the last id), and ${closeCode.tryAgainLater} when a
limit is exceeded. It sends pings; a peer that does not respond to a ping is disconnected.`;

/** Every kind of frame, from its name here to its schema, which the OpenAPI document shares, and an example. */
const messages = {
  event: message("Event", "An event that matches.", orderEvent),
  gap: message("Gap", "Events that are missing, reported in their place.", gap),
  caughtUp: message("CaughtUp", "The replay has caught up. Sent only after `since` or `last`.", caughtUp),
  publish: message("PublishFrame", "Publish an event.", clientFrames.publish),
  published: message("Published", "The event is on disk.", answerFrames.published),
  subscribe: message("SubscribeFrame", "Subscribe to one more pattern.", clientFrames.subscribe),
  unsubscribe: message("UnsubscribeFrame", "Unsubscribe from a pattern.", clientFrames.unsubscribe),
  done: message("Ack", "A subscribe, an unsubscribe or a consume is in effect from here on.", answerFrames.done),
  consume: message("ConsumeFrame", "Take from a consumer.", clientFrames.consume),
  delivery: message("DeliveryFrame", "One attempt to deliver one event, or one gap.", deliveryFrame),
  ack: message("AckFrame", "Acknowledge deliveries.", clientFrames.ack),
  nack: message("NackFrame", "Report that the work failed.", clientFrames.nack),
  extend: message("ExtendFrame", "Keep deliveries for longer.", clientFrames.extend),
  settled: message("SettledFrame", "What became of the deliveries.", answerFrames.settled),
  ping: message("PingFrame", "Check that the server responds.", clientFrames.ping),
  pong: message("Pong", "The response to a ping.", answerFrames.pong),
  refused: message("ErrorFrame", "The frame was rejected, and why. The connection stays open.", answerFrames.error),
};

type MessageName = keyof typeof messages;

const CHANNEL = "events";

/** The `action` of AsyncAPI is the server's: it sends events, it receives the client's frames. */
const operations = {
  deliver: {
    action: "send",
    channel: { $ref: `#/channels/${CHANNEL}` },
    summary: "Deliver events, in id order, each once",
    messages: messageRefs("event", "gap", "caughtUp"),
  },
  publish: asked("publish", "Publish an event", "published"),
  subscribe: asked("subscribe", "Add a pattern to the subscription", "done"),
  unsubscribe: asked("unsubscribe", "Remove a pattern from the subscription", "done"),
  consume: asked("consume", "Take from a consumer, as many deliveries at a time as there is credit", "done"),
  work: {
    action: "send",
    channel: { $ref: `#/channels/${CHANNEL}` },
    summary: "Deliver the work of consumers",
    messages: messageRefs("delivery"),
  },
  ack: asked("ack", "Acknowledge deliveries; answered if it has a `ref`, or if some are unknown", "settled"),
  nack: asked("nack", "Report that the work failed; answered as `ack`", "settled"),
  extend: asked("extend", "Keep deliveries for longer; answered as `ack`", "settled"),
  ping: asked("ping", "Respond to a ping", "pong"),
};

/** A query parameter as `Query.documentation` gives it. */
interface QueryParameter {
  readonly name: string;
  readonly description: string;
  readonly schema: object;
}

export interface AsyncApiOptions {
  readonly version: string;
  /** Path of the WebSocket. */
  readonly address: string;
  readonly query: readonly QueryParameter[];
}

/** Everything that does not depend on the server's address: all but `servers`. */
export function asyncApi({ version, address, query }: AsyncApiOptions) {
  return {
    asyncapi: "3.1.0",
    info: { title: "eventbus", version, description: DESCRIPTION, license: { name: "MIT" } },
    defaultContentType: "application/json",
    channels: {
      [CHANNEL]: {
        address,
        title: "A subscription",
        description: "One connection, which is one subscriber and may also publish. Text frames in both directions.",
        messages: Object.fromEntries(names().map((name) => [name, { $ref: `#/components/messages/${name}` }])),
        bindings: {
          ws: { method: "GET", query: querySchema([...query, accessTokenParameter]), bindingVersion: "0.1.0" },
        },
      },
    },
    operations,
    components: { messages, schemas: usedSchemas(), securitySchemes: asyncApiSchemes },
  };
}

/** `servers` for a client that has reached this one with this request. */
export function serversFor(request: Request, { host, isSecure, prefix }: Sender): object {
  const protocol = (isSecure ?? request.url.startsWith("https:")) ? "wss" : "ws";
  // One of the two is enough.
  const security = Object.keys(asyncApiSchemes).map((name) => ({ $ref: `#/components/securitySchemes/${name}` }));
  const server = { host: host ?? request.headers.get("host") ?? "", ...(prefix === "" ? {} : { pathname: prefix }) };
  return { this: { ...server, protocol, description: "This server, at the address that was requested.", security } };
}

function names(): MessageName[] {
  return Object.keys(messages) as MessageName[];
}

function message(schema: string, summary: string, example: object) {
  const isAnswered = "ref" in example;
  return {
    name: schema,
    summary,
    ...(isAnswered ? { correlationId: { location: "$message.payload#/ref" } } : {}),
    payload: { $ref: `#/components/schemas/${schema}` },
    examples: [{ payload: example }],
  };
}

function messageRefs(...some: MessageName[]) {
  return some.map((name) => ({ $ref: `#/channels/${CHANNEL}/messages/${name}` }));
}

/** A frame of the client and its responses, which come in the order of the frames, each with its `ref`. */
function asked(name: MessageName, summary: string, answer: MessageName) {
  const channel = { $ref: `#/channels/${CHANNEL}` };
  return {
    action: "receive",
    channel,
    summary,
    messages: messageRefs(name),
    reply: { channel, messages: messageRefs(answer, "refused") },
  };
}

function querySchema(query: readonly QueryParameter[]) {
  const properties = query.map(({ name, description, schema }) => [name, { ...schema, description }]);
  return { type: "object", properties: Object.fromEntries(properties), additionalProperties: false };
}

/** The schemas that the messages need, as JSON Schema, which has `examples` where OpenAPI has `example`. */
function usedSchemas(): Record<string, object> {
  const used: Record<string, object> = {};
  const add = (node: unknown): void => {
    for (const [, name = ""] of JSON.stringify(node).matchAll(/"#\/components\/schemas\/(\w+)"/g)) {
      const schema = schemas[name];
      if (name in used || schema === undefined) continue;
      used[name] = jsonSchema(schema);
      add(schema);
    }
  };
  add(messages);
  return used;
}

function jsonSchema(schema: Schema): object {
  const { example, ...rest } = { example: undefined, ...schema };
  return example === undefined ? rest : { ...rest, examples: [example] };
}
