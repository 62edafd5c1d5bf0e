import { requireConsume } from "../../bus/access/principal.ts";
import type { Consumer } from "../../bus/consumers/consumer.ts";
import type { Consumers } from "../../bus/consumers/consumers.ts";
import type { ConsumerWithSecret } from "../../protocol/consumer.ts";
import type { Callers } from "../access/gate.ts";
import {
  consumerDocs,
  deleteConsumerDocs,
  listConsumersDocs,
  pauseConsumerDocs,
  resumeConsumerDocs,
  rotateSecretDocs,
  seekConsumerDocs,
  setConsumerDocs,
} from "../docs/consumers.ts";
import type { Waiting } from "../limits/waiting.ts";
import { membersOf, settingsOf } from "../request/consumer-body.ts";
import { decodedSegment } from "../request/envelope.ts";
import { DATA_HEADERS, json, jsonText } from "../response/answer.ts";
import { arrayBody } from "../response/array-body.ts";
import { type Call, type Route, route } from "./route.ts";

const PATH = "/api/consumers";

/** Setting up consumers: `PUT`, `GET`, `DELETE`, pause, resume and seek. */
export function consumerRoutes(consumers: Consumers, callers: Callers, waiting: Waiting): Route[] {
  return [
    route({
      method: "GET",
      path: PATH,
      access: "monitor",
      docs: listConsumersDocs,
      handle: () => list(consumers, waiting),
    }),
    route({
      method: "PUT",
      path: `${PATH}/:name`,
      access: "admin",
      docs: setConsumerDocs,
      handle: (call) => set(consumers, call, callers),
    }),
    route({
      method: "GET",
      path: `${PATH}/:name`,
      access: "consume",
      docs: consumerDocs,
      handle: async (call) => json(await consumers.info(consumerNamed(consumers, call))),
    }),
    route({
      method: "DELETE",
      path: `${PATH}/:name`,
      access: "admin",
      docs: deleteConsumerDocs,
      handle: async ({ segment, caller }) => {
        await consumers.delete(decodedSegment(segment), caller.name);
        return new Response(null, { status: 204, headers: DATA_HEADERS });
      },
    }),
    ...changeRoutes(consumers, callers),
  ];
}

/** `POST`: pause, resume, rotate the secret, seek. */
function changeRoutes(consumers: Consumers, callers: Callers): Route[] {
  /** Does the work once the whole body is there, if the caller is still valid; responds with the consumer. */
  const changed = async ({ segment }: Call<unknown>, work: (name: string) => Promise<void>) => {
    const name = decodedSegment(segment);
    await work(name);
    return json(await consumers.info(consumers.get(name)));
  };
  return [
    route({
      method: "POST",
      path: `${PATH}/:name/pause`,
      access: "admin",
      docs: pauseConsumerDocs,
      handle: (call) => changed(call, (name) => consumers.pause(name, call.caller.name)),
    }),
    route({
      method: "POST",
      path: `${PATH}/:name/resume`,
      access: "admin",
      docs: resumeConsumerDocs,
      handle: (call) => changed(call, (name) => consumers.resume(name, call.caller.name)),
    }),
    route({
      method: "POST",
      path: `${PATH}/:name/rotate-secret`,
      access: "admin",
      docs: rotateSecretDocs,
      handle: async ({ segment, caller }) => {
        const name = decodedSegment(segment);
        return withSecret(consumers, name, await consumers.rotateSecret(name, caller.name));
      },
    }),
    route({
      method: "POST",
      path: `${PATH}/:name/seek`,
      access: "admin",
      docs: seekConsumerDocs,
      handle: (call) =>
        changed(call, async (name) => {
          const members = await membersOf(call.request, ["since"], '{"since":"10m"}');
          callers.requireValid(call.caller);
          await consumers.seek(name, members.value("since"), call.caller.name);
        }),
    }),
  ];
}

async function withSecret(
  consumers: Consumers,
  name: string,
  secret: string | undefined,
  status = 200,
): Promise<Response> {
  const info = await consumers.info(consumers.get(name));
  return json({ ...info, ...(secret !== undefined && { secret }) } satisfies ConsumerWithSecret, status);
}

/** The consumer that a call names, if the caller may take from it. Throws `scope_insufficient` or `not_found`. */
export function consumerNamed(consumers: Consumers, { segment, caller }: Call<unknown>): Consumer {
  const name = decodedSegment(segment);
  requireConsume(caller, name);
  return consumers.get(name);
}

async function list(consumers: Consumers, waiting: Waiting): Promise<Response> {
  const texts: string[] = [];
  for (const consumer of consumers.all()) texts.push(JSON.stringify(await consumers.info(consumer)));
  return jsonText(arrayBody(texts, waiting));
}

async function set(consumers: Consumers, call: Call<unknown>, callers: Callers): Promise<Response> {
  const { request, caller, segment } = call;
  const { written, since } = await settingsOf(request);
  callers.requireValid(caller);
  const name = decodedSegment(segment);
  const { isNew, secret } = await consumers.set(name, written, since, caller.name);
  return withSecret(consumers, name, secret, isNew ? 201 : 200);
}
