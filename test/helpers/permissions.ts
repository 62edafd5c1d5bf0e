import type { TokenSpec } from "../../src/bus/access/token-record.ts";

/** A token that may do nothing and never expires: tests add what it needs. */
export const permissions: Omit<TokenSpec, "name"> = {
  publish: [],
  subscribe: [],
  consume: [],
  isAdmin: false,
  isMonitor: false,
  expiresMs: undefined,
};
