import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { BusError } from "./bus/errors.ts";

/**
 * Rejects with `unavailable` when the host to listen on is a name that does not resolve. To listen on one fails too, but
 * with a code that differs from machine to machine.
 */
export async function requireKnownHost(host: string, port: number): Promise<void> {
  if (isIP(host.replace(/^\[|\]$/g, "")) !== 0) return;
  try {
    await lookup(host);
  } catch (error) {
    throw new BusError(
      "unavailable",
      `cannot listen on ${host}:${port}: unknown host; name an address of this machine with --host`,
      { cause: error },
    );
  }
}
