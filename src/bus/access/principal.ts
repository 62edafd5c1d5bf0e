import { BusError } from "../errors.ts";
import type { Draft } from "../ports.ts";
import { type Scope, scopeOf } from "./scope.ts";

/** What a call needs: nothing, to publish, to see events, or to run the server. */
export type Access = "public" | "publish" | "subscribe" | "admin";

/** Who asks, and what he may do. The same object for as long as it is the same permission. */
export interface Principal {
  /** Tells one from another; the same when a permission is renewed. Holds no secret. */
  readonly name: string;
  readonly publish: Scope;
  readonly subscribe: Scope;
  readonly isAdmin: boolean;
  /** From when on it may do nothing, in milliseconds since 1970; undefined: never. */
  readonly expiresMs: number | undefined;
}

const everything = scopeOf(["*"]);

/** Whoever asks a bus that is open to all. Has the empty name. */
export const anybody: Principal = {
  name: "",
  publish: everything,
  subscribe: everything,
  isAdmin: true,
  expiresMs: undefined,
};

const WANTED: Readonly<Record<Exclude<Access, "public">, string>> = {
  publish: "the token may not publish to any topic",
  subscribe: "the token may not see events of any topic",
  admin: "the token is no admin",
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

/** Throws `scope_insufficient` when one of the topics is none that the principal may publish to. */
export function requirePublish({ publish }: Principal, drafts: readonly Draft[]): void {
  const index = drafts.findIndex(({ topic }) => !publish.matches(topic));
  if (index < 0) return;
  const which = drafts.length === 1 ? "this topic" : `the topic of envelope ${index + 1}`;
  throw new BusError("scope_insufficient", `the token may not publish to ${which}`);
}
