import { readFileSync } from "node:fs";
import {
  type Authenticator,
  type ConnectionOptions,
  connect,
  credsAuthenticator,
  type NatsConnection,
  tokenAuthenticator,
} from "@nats-io/transport-node";
import type { ClusterSettings } from "./settings.ts";

/** Time between two attempts to connect, in milliseconds: a server that restarts is back within a few of them. */
const RETRY_MS = 1000;
/** How long one attempt may take, in milliseconds: a frozen server accepts connections and says nothing. */
const ATTEMPT_MS = 5000;
/** After two pings without a pong the connection is lost: a frozen server is noticed within 15 seconds. */
const PING_MS = 5000;
const MAX_PINGS = 2;

export interface ConnectOptions {
  /** What NATS shows as the name of the connection. */
  readonly node: string;
  /** Called with the reason of each attempt that failed, until there is a connection. */
  readonly onFailure: (reason: string) => void;
  /** Ends the attempts. */
  readonly signal: AbortSignal;
}

/**
 * Connects to one of the servers, however long it takes. If the connection is lost later, it reconnects by itself,
 * without a limit, with the files of the settings as they are then.
 *
 * Rejects only when the signal aborts, with its reason.
 */
export async function connectToNats(
  settings: ClusterSettings,
  { node, onFailure, signal }: ConnectOptions,
): Promise<NatsConnection> {
  const options = connectionOptions(settings, node);
  for (;;) {
    signal.throwIfAborted();
    const outcome = await connect(options).catch((error: unknown) => reasonOf(error));
    if (typeof outcome !== "string") return orClosed(outcome, signal);
    onFailure(outcome);
    await pause(signal);
  }
}

function connectionOptions({ servers, token, credsFile, tls }: ClusterSettings, node: string): ConnectionOptions {
  return {
    servers: [...servers],
    name: `eventbus ${node}`,
    timeout: ATTEMPT_MS,
    pingInterval: PING_MS,
    maxPingOut: MAX_PINGS,
    maxReconnectAttempts: -1,
    reconnectTimeWait: RETRY_MS,
    ignoreAuthErrorAbort: true, // renewed credentials, or a server that is being configured
    ...(token === undefined && credsFile === undefined ? {} : { authenticator: authenticatorOf(token, credsFile) }),
    ...(tls && {
      tls: {
        ...(tls.caFile !== undefined && { caFile: tls.caFile }),
        ...(tls.certFile !== undefined && { certFile: tls.certFile }),
        ...(tls.keyFile !== undefined && { keyFile: tls.keyFile }),
      },
    }),
  };
}

/** The file is read for every connection, so renewed credentials are used. */
function authenticatorOf(token: string | undefined, credsFile: string | undefined): Authenticator {
  if (credsFile !== undefined) return credsAuthenticator(() => readFileSync(credsFile));
  return tokenAuthenticator(token ?? "");
}

async function orClosed(connection: NatsConnection, signal: AbortSignal): Promise<NatsConnection> {
  if (!signal.aborted) return connection;
  await connection.close();
  throw signal.reason;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function pause(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, RETRY_MS);
    signal.addEventListener("abort", done);
  });
}
