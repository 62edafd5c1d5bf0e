import { BusError } from "../errors.ts";
import type { Draft } from "../ports.ts";
import { type Scope, scopeOf } from "./scope.ts";
import type { Grants } from "./token-record.ts";

/**
 * The access that a call requires: none, to publish, to read events, to take from consumers, either of these two
 * (`connect`), to read figures, or to administer the server.
 */
export type Access = "public" | "publish" | "subscribe" | "consume" | "connect" | "monitor" | "admin";

/** The caller and its permissions. The same object as long as the permission is the same. */
export interface Principal {
  /** Identifies the principal; stays the same when a permission is renewed. Contains no secret. */
  readonly name: string;
  readonly publish: Scope;
  readonly subscribe: Scope;
  /** The names of the consumers that it may take from. */
  readonly consume: Scope;
  readonly isAdmin: boolean;
  readonly isMonitor: boolean;
  /** Expiry time, in milliseconds since 1970; undefined: never. */
  readonly expiresMs: number | undefined;
}

const everything = scopeOf(["*"]);

/** The principal with these permissions. Throws `pattern_invalid`. */
export function principalOf(name: string, grants: Grants, expiresMs: number | undefined): Principal {
  const { isAdmin, isMonitor } = grants;
  const publish = scopeOf(grants.publish);
  const subscribe = scopeOf(grants.subscribe);
  const consume = scopeOf(grants.consume);
  if (!isAdmin) return { name, publish, subscribe, consume, isAdmin, isMonitor, expiresMs };
  const all = { publish: everything, subscribe: everything, consume: everything };
  return { name, ...all, isAdmin, isMonitor: true, expiresMs };
}

/** Every caller of a bus that is open to all. Its name is empty. */
export const anybody: Principal = principalOf(
  "",
  { publish: [], subscribe: [], consume: [], isAdmin: true, isMonitor: true },
  undefined,
);

/** What is missing, and the flag of `eventbus token create` that grants it. */
const WANTED: Readonly<Record<Exclude<Access, "public">, readonly [missing: string, flag: string]>> = {
  publish: ["the token may not publish to any topic", "--publish PATTERN"],
  subscribe: ["the token may not read events of any topic", "--subscribe PATTERN"],
  consume: ["the token may not take from any consumer", "--consume NAME"],
  connect: ["the token may not read events of any topic, nor take from a consumer", "--subscribe PATTERN"],
  monitor: ["the token may not read metrics, stats and topics", "--monitor"],
  admin: ["the token is not an admin token", "--admin"],
};

/** Throws `scope_insufficient` when the principal may not do anything of this kind. */
export function requireAccess(principal: Principal, access: Access): void {
  if (access === "public" || allows(principal, access)) return;
  const [missing, flag] = WANTED[access];
  throw insufficient(missing, flag);
}

function allows(principal: Principal, access: Exclude<Access, "public">): boolean {
  if (access === "admin") return principal.isAdmin;
  if (access === "monitor") return principal.isMonitor;
  if (access === "connect") return !(principal.subscribe.isNothing && principal.consume.isNothing);
  return !principal[access].isNothing;
}

/** Throws `scope_insufficient` if the principal may not publish to one of the topics. */
export function requirePublish({ publish }: Principal, drafts: readonly Draft[]): void {
  const index = drafts.findIndex(({ topic }) => !publish.matches(topic));
  if (index < 0) return;
  const which = drafts.length === 1 ? "this topic" : `the topic of envelope ${index + 1}`;
  throw insufficient(`the token may not publish to ${which}`, WANTED.publish[1]);
}

/** Throws `scope_insufficient` if the principal may not take from the consumer of this name. */
export function requireConsume({ consume }: Principal, name: string): void {
  if (consume.matches(name)) return;
  throw insufficient("the token may not take from this consumer", WANTED.consume[1]);
}

/** Names the command that would help. */
function insufficient(missing: string, flag: string): BusError {
  return new BusError("scope_insufficient", `${missing}: create one that may: eventbus token create NAME ${flag}`);
}
