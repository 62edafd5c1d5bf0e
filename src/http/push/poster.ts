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

export interface PosterOptions {
  readonly push: PushSettings;
  readonly rules: AddressRules;
  readonly resolve: Resolve;
}

/** An endpoint that asks for a longer wait is tried again after this time, in milliseconds. */
const MAX_RETRY_AFTER_MS = 3_600_000;
/** Statuses with which an endpoint says when to try again. */
const PATIENT = [429, 503];

/** Posts to one endpoint: follows no redirect, and uses no proxy. */
export class Poster {
  readonly #url: URL;
  readonly #timeoutMs: number;
  /** Those of the endpoint, and those of the request that is begun: `fetch` copies them. */
  readonly #headers: Headers;
  readonly #rules: AddressRules;
  readonly #resolve: Resolve;
  readonly #init: RequestInit;
  /** When each request that is under way began, in milliseconds of the monotonic clock; the first one first. */
  readonly #active = new Map<AbortController, number>();
  /** Fires when the time of the first one is over: a timer for each would take longer than signing. */
  #limit: ReturnType<typeof setTimeout> | undefined;
  /** Of requests that have ended: a signal for each request would take a quarter of the time of posting it. */
  readonly #idle: AbortController[] = [];
  /** Whether the host is a name, not an address. */
  readonly #isNamed: boolean;
  /** For an endpoint given by an IP address: that address, once it was checked. */
  #target: string | undefined;

  constructor({ push, rules, resolve }: PosterOptions) {
    this.#url = new URL(push.url);
    this.#isNamed = isIP(this.#url.hostname.replace(/^\[|\]$/g, "")) === 0;
    this.#timeoutMs = push.timeoutMs;
    this.#headers = headersOf(push, this.#url);
    this.#rules = rules;
    this.#resolve = resolve;
    this.#init = {
      method: "POST",
      redirect: "manual",
      // Connections are kept by address: one that was verified for another name must not be used for this one.
      keepalive: this.#url.protocol === "http:",
      ...(this.#isNamed ? { tls: { serverName: this.#url.hostname } } : {}),
      ...DIRECT,
    };
  }

  /**
   * Posts once, to an address of the host that was checked, whatever the name resolves to later; `headers`, the same
   * names for each request, are added to those of the endpoint. Never rejects.
   */
  async post(headers: Readonly<Record<string, string>>, body: string): Promise<Outcome> {
    const abort = this.#idle.pop() ?? new AbortController();
    const { signal } = abort;
    this.#active.set(abort, performance.now());
    this.#limit ??= this.#startLimit(this.#timeoutMs);
    try {
      const target = this.#target ?? (await this.#findTarget(signal));
      for (const [name, value] of Object.entries(headers)) this.#headers.set(name, value);
      const response = await fetch(target, { ...this.#init, headers: this.#headers, body, signal });
      void response.body?.cancel().catch(() => {});
      return outcomeOf(response);
    } catch (error) {
      return { status: undefined, error: reasonOf(error, signal), retryAfterMs: 0 };
    } finally {
      this.#active.delete(abort);
      if (!signal.aborted) this.#idle.push(abort);
    }
  }

  /** Abandons what is under way. */
  close(): void {
    clearTimeout(this.#limit);
    for (const abort of this.#active.keys()) abort.abort();
  }

  #startLimit(ms: number): ReturnType<typeof setTimeout> {
    return setTimeout(() => this.#abandonLate(), ms);
  }

  #abandonLate(): void {
    this.#limit = undefined;
    const nowMs = performance.now();
    for (const [abort, begunMs] of this.#active) {
      const leftMs = begunMs + this.#timeoutMs - nowMs;
      if (leftMs <= 0) abort.abort();
      else {
        this.#limit = this.#startLimit(Math.ceil(leftMs));
        return;
      }
    }
  }

  /** The address is checked before each request, unless the URL names it: then it stays as it is. */
  async #findTarget(signal: AbortSignal): Promise<string> {
    const address = await within(signal, addressFor(this.#url.hostname, this.#rules, this.#resolve));
    const target = new URL(this.#url);
    target.hostname = isIP(address) === 6 ? `[${address}]` : address;
    if (!this.#isNamed) this.#target = target.href;
    return target.href;
  }
}

/** Without a name of its own, a request would name Bun and its version. */
function headersOf({ headers }: PushSettings, { host }: URL): Headers {
  const all = new Headers({ "User-Agent": "eventbus" });
  for (const [name, value] of Object.entries(headers)) all.set(name, value);
  all.set("Content-Type", "application/json; charset=utf-8");
  all.set("Host", host);
  return all;
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
    const abandon = () => reject(signal.reason);
    signal.addEventListener("abort", abandon, { once: true });
    work.finally(() => signal.removeEventListener("abort", abandon)).then(resolve, reject);
  });
}
