import { parseDelay } from "../../bus/consumers/settings.ts";
import { BusError } from "../../bus/errors.ts";
import type { Settled } from "../../protocol/consumer.ts";
import { deliveriesOf, reasonOf } from "../request/consumer-body.ts";
import type { Members } from "../request/members.ts";
import type { Connection } from "./connection.ts";
import type { Workplaces } from "./consuming.ts";

/** Deliveries of each consumer that may be out on one connection. */
const MAX_CREDIT = 10_000;

/** Takes from a consumer from now on. */
export function consume(members: Members, ref: string, connection: Connection, consumers?: Workplaces): string {
  const name = members.value("consumer");
  if (typeof name !== "string")
    throw invalid("consumer", 'consume needs the name of a consumer: {"consumer":"billing"}');
  const credit = members.value("credit");
  if (typeof credit !== "number" || !Number.isInteger(credit) || credit < 0 || credit > MAX_CREDIT) {
    throw invalid("credit", `credit must be a whole number from 0 to ${MAX_CREDIT}`);
  }
  if (consumers === undefined) throw new BusError("not_found", "this server has no consumers");
  connection.consuming.consume(consumers, name, credit);
  return `{"type":"ack"${ref}}`;
}

/** The work is done. */
export function ack(members: Members, ref: string, connection: Connection): string | Promise<string> {
  const finished = connection.consuming.finish(deliveriesOf(members), (consumer, some) => consumer.ack(some));
  return answerOf(finished, ref);
}

/** The work failed. */
export function nack(members: Members, ref: string, connection: Connection): string | Promise<string> {
  const delay = members.value("delay");
  const delayMs = delay === undefined ? undefined : parseDelay(delay);
  const reason = reasonOf(members);
  const finished = connection.consuming.finish(deliveriesOf(members), (consumer, some) =>
    consumer.nack(some, reason, delayMs),
  );
  return answerOf(finished, ref);
}

/** The work goes on. */
export function extend(members: Members, ref: string, connection: Connection): string | Promise<string> {
  const settled = connection.consuming.settle(deliveriesOf(members), (consumer, some) => consumer.extend(some));
  return answerOf(settled, ref);
}

/** There is no response without a `ref` if all went well: most workers acknowledge each event. */
function answerOf(settled: Settled | Promise<Settled>, ref: string): string | Promise<string> {
  if (settled instanceof Promise) return settled.then((one) => textOf(one, ref));
  return textOf(settled, ref);
}

function textOf({ done, unknown }: Settled, ref: string): string {
  if (ref === "" && unknown.length === 0) return "";
  return `{"type":"settled"${ref},"done":${done},"unknown":${JSON.stringify(unknown)}}`;
}

function invalid(parameter: string, detail: string): BusError {
  return new BusError("parameter_invalid", detail, { members: { parameter } });
}
