import { EventBusError, errorOf } from "./errors.ts";

/** What the client needs of `fetch`. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** A secret, or a function that returns one: called for every request, so that an expiring token can be replaced. */
export type Token = string | (() => string | Promise<string>);

/** Query parameters; undefined is omitted, an array is a repeated parameter. */
export type Parameters = Readonly<Record<string, string | number | Date | readonly string[] | undefined>>;

export interface HttpRequest {
  readonly method?: "GET" | "POST" | "PUT" | "DELETE";
  readonly path: string;
  readonly query?: Parameters;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal: AbortSignal;
}

/** One or several addresses of servers. A text may list several, separated by commas. */
export type Addresses = string | URL | readonly (string | URL)[];

/** The nodes of one bus: their addresses, the one in use, and the credentials. */
export class Http {
  readonly #urls: readonly string[];
  #current = 0;
  readonly #token: Token | undefined;
  readonly #fetch: Fetch;

  /** Throws `parameter_invalid` when an address is not an HTTP URL. */
  constructor(addresses: Addresses, token: Token | undefined, fetch: Fetch | undefined) {
    this.#urls = listOf(addresses).map(baseOf);
    this.#token = token;
    // In browsers `fetch` must be called on its window.
    this.#fetch = fetch ?? ((input, init) => globalThis.fetch(input, init));
  }

  /** The address in use. */
  get url(): string {
    return this.#urls[this.#current] ?? "";
  }

  /**
   * Moves on to the next address, unless an address other than `url` is in use by now: of many requests that failed
   * there, only the first one moves on.
   */
  leave(url: string): void {
    if (this.url === url) this.#current = (this.#current + 1) % this.#urls.length;
  }

  /** How many addresses there are. */
  get size(): number {
    return this.#urls.length;
  }

  /** Sends once; resolves with a 2xx response with an unread body. Rejects with the server's error. */
  async send({ method = "GET", path, query = {}, headers, body, signal }: HttpRequest): Promise<Response> {
    const url = `${this.url}${path}${searchOf(query)}`;
    const response = await this.#fetch(url, {
      method,
      headers: headersOf({ ...(await this.#authorization()), ...headers }),
      signal,
      cache: "no-store",
      ...(body === undefined ? {} : { body }),
    });
    if (response.ok) return response;
    throw await errorOf(response);
  }

  async #authorization(): Promise<Record<string, string>> {
    if (this.#token === undefined) return {};
    try {
      const token = typeof this.#token === "string" ? this.#token : await this.#token();
      return { authorization: `Bearer ${token}` };
    } catch (error) {
      throw new EventBusError("token_missing", "the function that makes the token failed", { cause: error });
    }
  }
}

function listOf(addresses: Addresses): readonly (string | URL)[] {
  const list = typeof addresses === "string" ? addresses.split(/\s*,\s*/).filter(Boolean) : [addresses].flat();
  if (list.length > 0) return list;
  throw new EventBusError("parameter_invalid", "an address is missing: use one like http://127.0.0.1:9800");
}

/** The address without what comes after its path, and without a slash at the end. */
function baseOf(url: string | URL): string {
  let base: URL;
  try {
    base = new URL(url, globalThis.location?.href);
  } catch (error) {
    throw new EventBusError("parameter_invalid", `${url} is not a URL: use one like http://127.0.0.1:9800`, {
      cause: error,
    });
  }
  if (!/^https?:$/.test(base.protocol)) {
    throw new EventBusError("parameter_invalid", `${url} must start with http:// or https://`);
  }
  if (base.username !== "" || base.password !== "") {
    throw new EventBusError("parameter_invalid", "the URL must not hold a password: give it as the token");
  }
  return `${base.origin}${base.pathname.replace(/\/+$/, "")}`;
}

function searchOf(query: Parameters): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const one of [value].flat()) if (one !== undefined) search.append(name, textOf(name, one));
  }
  const text = search.toString();
  return text === "" ? "" : `?${text}`;
}

function textOf(name: string, value: string | number | Date): string {
  if (!(value instanceof Date)) return String(value);
  if (!Number.isNaN(value.getTime())) return value.toISOString();
  throw new EventBusError("parameter_invalid", `${name} is not a valid Date`);
}

function headersOf(headers: Record<string, string>): Headers {
  try {
    return new Headers(headers);
  } catch (error) {
    throw new EventBusError(
      "parameter_invalid",
      "the token or the idempotency key has characters that are not allowed in a header",
      {
        cause: error,
      },
    );
  }
}
