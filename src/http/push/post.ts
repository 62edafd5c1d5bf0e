import { isIP } from "node:net";
import type { PushSettings } from "../../bus/consumers/push.ts";
import { AddressRefused, type AddressRules, addressFor, type Resolve } from "./addresses.ts";

/** What became of one request. */
export interface Outcome {
  /** Undefined if there was no response. */
  readonly status: number | undefined;
  /** Undefined if the endpoint has accepted it. */
  readonly error: string | undefined;
  /** How long the endpoint asked to wait, in milliseconds. */
  readonly retryAfterMs: number;
}

export interface PostOptions {
  readonly push: PushSettings;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly rules: AddressRules;
  readonly resolve: Resolve;
  readonly signal: AbortSignal;
}

/** Posts once. Never rejects. */
export type Post = (options: PostOptions) => Promise<Outcome>;

/** An endpoint that asks for a longer wait is tried again after this time, in milliseconds. */
const MAX_RETRY_AFTER_MS = 3_600_000;
/** Statuses with which an endpoint says when to try again. */
const PATIENT = [429, 503];

/**
 * Posts once, to an address of the host that was checked, whatever the name resolves to later. Follows no redirect and
 * uses no proxy. Never rejects.
 */
export async function post({ push, headers, body, rules, resolve, signal }: PostOptions): Promise<Outcome> {
  const url = new URL(push.url);
  const limit = AbortSignal.any([signal, AbortSignal.timeout(push.timeoutMs)]);
  try {
    const address = await within(limit, addressFor(url.hostname, rules, resolve));
    const target = new URL(url);
    target.hostname = isIP(address) === 6 ? `[${address}]` : address;
    const response = await fetch(target, {
      method: "POST",
      headers: { ...push.headers, ...headers, "Content-Type": "application/json; charset=utf-8", Host: url.host },
      body,
      redirect: "manual",
      signal: limit,
      // Connections are kept by address: one that was verified for another name must not be used for this one.
      keepalive: url.protocol === "http:",
      ...(isIP(url.hostname.replace(/^\[|\]$/g, "")) === 0 ? { tls: { serverName: url.hostname } } : {}),
      ...DIRECT,
    });
    void response.body?.cancel().catch(() => {});
    return outcomeOf(response);
  } catch (error) {
    return { status: undefined, error: reasonOf(error, limit), retryAfterMs: 0 };
  }
}

/** Bun would use the proxies of the environment, which resolve the name again; its types do not know this option. */
const DIRECT = { proxy: false } as unknown as RequestInit;

function outcomeOf({ status, ok, headers }: Response): Outcome {
  if (ok) return { status, error: undefined, retryAfterMs: 0 };
  const isRedirect = status >= 300 && status < 400;
  const error = `the endpoint answered ${status}${isRedirect ? ": redirects are not followed" : ""}`;
  return { status, error, retryAfterMs: PATIENT.includes(status) ? retryAfterMs(headers.get("retry-after")) : 0 };
}

function retryAfterMs(header: string | null): number {
  if (header === null) return 0;
  const ms = /^\d{1,9}$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isNaN(ms) ? 0 : Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS);
}

function reasonOf(error: unknown, limit: AbortSignal): string {
  if (error instanceof AddressRefused) return error.message;
  if (limit.aborted) return "the endpoint did not answer in time";
  const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
  return `the endpoint could not be reached (${code})`;
}

function within<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    work.then(resolve, reject);
  });
}
