import { BusError } from "../errors.ts";
import type { Draft } from "../ports.ts";
import { type Scope, scopeOf } from "./scope.ts";

/** The access that a call requires: none, to publish, to read events, or to administer the server. */
export type Access = "public" | "publish" | "subscribe" | "admin";

/** The caller and its permissions. The same object as long as the permission is the same. */
export interface Principal {
  /** Identifies the principal; stays the same when a permission is renewed. Contains no secret. */
  readonly name: string;
  readonly publish: Scope;
  readonly subscribe: Scope;
  readonly isAdmin: boolean;
  /** Expiry time, in milliseconds since 1970; undefined: never. */
  readonly expiresMs: number | undefined;
}

const everything = scopeOf(["*"]);

/** Every caller of a bus that is open to all. Its name is empty. */
export const anybody: Principal = {
  name: "",
  publish: everything,
  subscribe: everything,
  isAdmin: true,
  expiresMs: undefined,
};

const WANTED: Readonly<Record<Exclude<Access, "public">, string>> = {
  publish: "the token may not publish to any topic",
  subscribe: "the token may not read events of any topic",
  admin: "the token is not an admin token",
};

/** Throws `scope_insufficient` when the principal may not do anything of this kind. */
export function requireAccess(principal: Principal, access: Access): void {
  if (access === "public" || allows(principal, access)) return;
  throw new BusError("scope_insufficient", WANTED[access]);
}

function allows({ isAdmin, publish, subscribe }: Principal, access: Exclude<Access, "public">): boolean {
  if (access === "admin") return isAdmin;
  return !(access === "publish" ? publish : subscribe).isNothing;
}

/** Throws `scope_insufficient` if the principal may not publish to one of the topics. */
export function requirePublish({ publish }: Principal, drafts: readonly Draft[]): void {
  const index = drafts.findIndex(({ topic }) => !publish.matches(topic));
  if (index < 0) return;
  const which = drafts.length === 1 ? "this topic" : `the topic of envelope ${index + 1}`;
  throw new BusError("scope_insufficient", `the token may not publish to ${which}`);
}
