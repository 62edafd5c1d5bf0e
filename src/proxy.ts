import { environment } from "./config.ts";
import { isLoopbackName } from "./http/access/host.ts";

/** A proxy that the environment names for an address. */
export interface NamedProxy {
  /** The variable that names it, such as `HTTPS_PROXY`. */
  readonly variable: string;
  readonly address: string;
}

/**
 * As `fetch`, but a loopback address is never reached through a proxy, which would be given the token. Other addresses
 * are reached as `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`, or their lower-case forms, require.
 */
export function outboundFetch(url: string | URL, init?: RequestInit): Promise<Response> {
  // Bun obeys the variables for loopback too. `false` turns them off; its types do not know that.
  return fetch(url, isLoopback(url) ? ({ ...init, proxy: false } as RequestInit) : init);
}

/** The proxy through which {@link outboundFetch} reaches an address; undefined if there is none. */
export function proxyOf(url: string | URL): NamedProxy | undefined {
  if (!URL.canParse(url) || isLoopback(url) || isExempt(new URL(url).hostname)) return undefined;
  const scheme = new URL(url).protocol.slice(0, -1);
  for (const name of [`${scheme}_proxy`, "all_proxy"]) {
    for (const variable of [name, name.toUpperCase()]) {
      const address = environment()[variable];
      if (address) return { variable, address: withoutPassword(address) };
    }
  }
  return undefined;
}

function isLoopback(url: string | URL): boolean {
  return URL.canParse(url) && isLoopbackName(new URL(url).hostname);
}

/** `NO_PROXY` lists names; each means itself and the names below it, `*` means all. */
function isExempt(host: string): boolean {
  const list = environment()["no_proxy"] || environment()["NO_PROXY"] || "";
  const names = list.split(",").map((name) => name.trim().replace(/^\./, "").replace(/:\d+$/, ""));
  return names.some((name) => name === "*" || (name !== "" && (host === name || host.endsWith(`.${name}`))));
}

function withoutPassword(address: string): string {
  return address.replace(/\/\/[^@/]*@/, "//");
}
