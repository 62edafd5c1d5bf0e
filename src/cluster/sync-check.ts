import { BusError } from "../bus/errors.ts";

/** How long a monitoring port may take, in milliseconds. */
const ANSWER_MS = 3000;
/** Time between two checks, in milliseconds: a server may be restarted with another configuration. */
const CHECK_AGAIN_MS = 60_000;

/** As the platform's, for monitoring ports. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** Whether a NATS server has written to disk what it acknowledges. */
export type SyncState =
  | { readonly url: string; readonly state: "always" }
  /** It syncs only at this interval, in words. */
  | { readonly url: string; readonly state: "seldom"; readonly interval: string }
  | { readonly url: string; readonly state: "unknown"; readonly why: string };

export interface SyncCheckOptions {
  /** URLs of monitoring ports. */
  readonly monitors: readonly string[];
  /** Whether an acknowledgement promises that the event is on disk. */
  readonly mustSync: boolean;
  readonly fetch: Fetch;
  /** Called when that cannot be determined. */
  readonly onWarning: (detail: string) => void;
}

/** Verifies, once a minute at most, that the servers sync before they acknowledge. */
export class SyncCheck {
  readonly #monitors: readonly string[];
  readonly #mustSync: boolean;
  readonly #fetch: Fetch;
  readonly #onWarning: (detail: string) => void;
  #nextMs = 0;
  #failure: BusError | undefined;

  constructor(options: SyncCheckOptions) {
    this.#monitors = options.monitors;
    this.#mustSync = options.mustSync;
    this.#fetch = options.fetch;
    this.#onWarning = options.onWarning;
  }

  /** Rejects with `unavailable` if a server is known not to do so. */
  async require(): Promise<void> {
    if (this.#mustSync && performance.now() >= this.#nextMs) await this.#check();
    if (this.#failure) throw this.#failure;
  }

  async #check(): Promise<void> {
    this.#nextMs = performance.now() + CHECK_AGAIN_MS;
    if (this.#monitors.length === 0) {
      this.#onWarning(
        "without --cluster-monitor it is unknown whether NATS syncs before it acknowledges: give the addresses of its " +
          "monitoring ports, and set sync_interval: always",
      );
    }
    const states = await syncStates(this.#monitors, this.#fetch);
    this.#failure = undefined;
    for (const one of states) {
      if (one.state === "seldom") this.#failure = syncsSeldom(one);
      if (one.state === "unknown")
        this.#onWarning(`it is unknown whether NATS at ${one.url} syncs before it acknowledges: ${one.why}`);
    }
    // The next call checks again, so that a corrected server is used without a wait.
    if (this.#failure) this.#nextMs = 0;
  }
}

function syncsSeldom({ url, interval }: SyncState & { readonly state: "seldom" }): BusError {
  return new BusError(
    "unavailable",
    `NATS at ${url} acknowledges before it syncs (it syncs every ${interval}): set sync_interval: always in its ` +
      "jetstream {}, or start with --durability os, where a power failure may lose acknowledged events",
  );
}

/** Asks each monitoring port when its server syncs: JetStream itself does not report it. */
export function syncStates(urls: readonly string[], fetch: Fetch): Promise<readonly SyncState[]> {
  return Promise.all(urls.map((url) => syncState(url, fetch)));
}

async function syncState(url: string, fetch: Fetch): Promise<SyncState> {
  try {
    const response = await fetch(`${url}/jsz?config=true`, { signal: AbortSignal.timeout(ANSWER_MS) });
    if (!response.ok) return { url, state: "unknown", why: `it responds with ${response.status}` };
    return stateIn(url, await response.json());
  } catch (error) {
    return { url, state: "unknown", why: error instanceof Error ? error.message : String(error) };
  }
}

function stateIn(url: string, body: unknown): SyncState {
  const config = memberOf(body, "config");
  if (memberOf(config, "sync_always") === true) return { url, state: "always" };
  const intervalNs = memberOf(config, "sync_interval");
  if (typeof intervalNs !== "number") return { url, state: "unknown", why: "JetStream is not enabled there" };
  return { url, state: "seldom", interval: `${intervalNs / 1e9} s` };
}

function memberOf(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null
    ? new Map<string, unknown>(Object.entries(value)).get(key)
    : undefined;
}
