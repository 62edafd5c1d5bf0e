import type { WrittenSettings } from "../../bus/consumers/settings.ts";
import { BusError } from "../../bus/errors.ts";
import { mediaTypeOf, readBody } from "./body.ts";
import { type Members, sliceMembers } from "./members.ts";
import { decodeUtf8 } from "./utf8.ts";

/** Deliveries that one call may name. */
const MAX_DELIVERIES = 10_000;
/** Room for this many names, or ids. */
const MAX_BODY_BYTES = 1024 * 1024;
const SETTINGS = [
  "pattern",
  "since",
  "order",
  "ack_timeout",
  "max_attempts",
  "retry",
  "max_in_flight",
  "push",
] as const;

/** The members of the body of a request about consumers. No body counts as an object without members. */
export async function membersOf(request: Request, known: readonly string[], example: string): Promise<Members> {
  mediaTypeOf(request, ["json"]);
  const text = decodeUtf8(await readBody(request, MAX_BODY_BYTES));
  const members = sliceMembers(text.trim() === "" ? "{}" : text, example);
  members.requireOnly(known);
  return members;
}

/** The settings of a consumer, as they were sent, and where it begins. */
export async function settingsOf(request: Request): Promise<{ written: WrittenSettings; since: unknown }> {
  const members = await membersOf(request, SETTINGS, '{"pattern":["orders.*"]}');
  const [pattern, since, order, ack_timeout, max_attempts, retry, max_in_flight, push] = SETTINGS.map((name) =>
    members.value(name),
  );
  return { written: { pattern, order, ack_timeout, max_attempts, retry, max_in_flight, push }, since };
}

/** The names of deliveries. Throws `parameter_invalid`. */
export function deliveriesOf(members: Members): readonly string[] {
  const value = members.value("deliveries");
  const isList = Array.isArray(value) && value.every((one) => typeof one === "string");
  if (isList && value.length <= MAX_DELIVERIES) return value;
  throw new BusError("parameter_invalid", `deliveries must be an array of at most ${MAX_DELIVERIES} names`, {
    members: { parameter: "deliveries", limit: MAX_DELIVERIES },
  });
}

/** Why an attempt failed. Throws `parameter_invalid`. */
export function reasonOf(members: Members): string {
  const reason = members.value("reason") ?? "the worker gave no reason";
  if (typeof reason === "string") return reason;
  throw new BusError("parameter_invalid", "reason must be a string", { members: { parameter: "reason" } });
}

/** The ids of events; undefined if none were given. Throws `parameter_invalid`. */
export function idsOf(members: Members): ReadonlySet<number> | undefined {
  const value = members.value("ids");
  if (value === undefined) return undefined;
  if (Array.isArray(value) && value.every((one) => Number.isSafeInteger(one))) return new Set(value);
  throw new BusError("parameter_invalid", "ids must be an array of the ids of events", {
    members: { parameter: "ids" },
  });
}
