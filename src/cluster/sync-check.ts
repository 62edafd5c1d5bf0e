/** How long a monitoring port may take, in milliseconds. */
const ANSWER_MS = 3000;

/** Whether a NATS server has written to disk what it acknowledges. */
export type SyncState =
  | { readonly url: string; readonly state: "always" }
  /** It syncs only at this interval, in words. */
  | { readonly url: string; readonly state: "seldom"; readonly interval: string }
  | { readonly url: string; readonly state: "unknown"; readonly why: string };

/** Asks each monitoring port when its server syncs: JetStream itself does not report it. */
export function syncStates(
  urls: readonly string[],
  fetch: (url: string, init: RequestInit) => Promise<Response>,
): Promise<readonly SyncState[]> {
  return Promise.all(urls.map((url) => syncState(url, fetch)));
}

async function syncState(
  url: string,
  fetch: (url: string, init: RequestInit) => Promise<Response>,
): Promise<SyncState> {
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
