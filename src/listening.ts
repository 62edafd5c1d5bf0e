import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { BusError } from "./bus/errors.ts";
import type { Config } from "./config.ts";

/**
 * Rejects with `unavailable` when the host to listen on is a name that does not resolve. Listening on it would fail
 * too, but with a code that differs from machine to machine.
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

/** The error for a failure to listen, with what can be done about it. */
export function listenError({ host, port }: Pick<Config, "host" | "port">, error: unknown): BusError {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "EADDRINUSE") {
    return new BusError(
      "unavailable",
      `port ${port} of ${host} is in use: stop the program that listens there, or choose another port with --port`,
    );
  }
  const reason = LISTEN_REASONS[String(code)] ?? (error instanceof Error ? error.message : String(error));
  return new BusError("unavailable", `cannot listen on ${host}:${port}: ${reason}`, { cause: error });
}

const LISTEN_REASONS: Readonly<Record<string, string>> = {
  EADDRNOTAVAIL: "it is not an address of this machine; name one with --host",
  EACCES: "this user may not use the port; choose one above 1023 with --port",
};
