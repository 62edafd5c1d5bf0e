import { isIP } from "node:net";
import { Command } from "commander";
import { BusError } from "../../bus/errors.ts";
import type { Config } from "../../config.ts";
import { outboundFetch } from "../../proxy.ts";
import { settingsOf, withSettings } from "./settings.ts";

/** Less than the three seconds that the image gives to its health check. */
const ANSWER_MS = 2500;
/** Addresses that a server can listen on but that cannot be connected to, with those that reach it. */
const EVERY_ADDRESS: Readonly<Record<string, string>> = { "0.0.0.0": "127.0.0.1", "::": "::1" };

/** The command by which a supervisor asks whether the server is alive, in an image that has no other program. */
export function healthcheckCommand(): Command {
  const command = withSettings(
    new Command("healthcheck").description("check that a server with these settings is alive"),
  );
  return command.action(async () => {
    const { config } = settingsOf(command);
    await requireAlive(addressOf(config));
    process.stdout.write("alive\n");
  });
}

function addressOf({ host, port, tlsCert }: Config): string {
  if (port === 0)
    throw new BusError("parameter_invalid", "with --port 0 the server chose a port that is not known here");
  const name = EVERY_ADDRESS[host] ?? host;
  return `${tlsCert === undefined ? "http" : "https"}://${isIP(name) === 6 ? `[${name}]` : name}:${port}/healthz`;
}

/** Throws `unavailable` unless the server answers 200. Its certificate names its public name, not this address. */
async function requireAlive(address: string): Promise<void> {
  const init = { signal: AbortSignal.timeout(ANSWER_MS), tls: { rejectUnauthorized: false } };
  let response: Response;
  try {
    response = await outboundFetch(address, init as RequestInit);
  } catch (error) {
    throw new BusError("unavailable", `no response from ${address}`, { cause: error });
  }
  if (!response.ok) throw new BusError("unavailable", `${address} answered ${response.status}`);
}
