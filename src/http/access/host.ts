import { BusError } from "../../bus/errors.ts";

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\]|::1)$/;
const ORIGIN = /^https?:\/\/((\[[0-9a-f:.]+\]|[^:/]+)(?::\d+)?)$/;
const HOST = /^(?<name>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?<port>:\d{1,5})?$/;

export interface OriginRules {
  /** The server listens on loopback only. */
  readonly isLoopback: boolean;
  /** Names besides the loopback ones that a `Host` may have when the server is bound to loopback. */
  readonly allowedHosts: readonly string[];
  /** Origins of pages, besides the server's own, that may use it. */
  readonly allowedOrigins: readonly string[];
}

export function isLoopbackName(name: string): boolean {
  return LOOPBACK.test(name.toLowerCase());
}

/**
 * Rejects requests that a browser may have been tricked into: a `Host` that is not ours (DNS rebinding), or a page of
 * another origin. Returns the request's origin if it is another one that is allowed. Throws `parameter_invalid` or
 * `origin_forbidden`.
 *
 * @param forwardedHost the host that the client named, if a trusted proxy reported it. It must be ours, and so must the
 * `Host`: on loopback, a page with a rebound name may send both, from a trusted address.
 */
export function checkOrigin({ headers }: Request, rules: OriginRules, forwardedHost?: string): string | undefined {
  const sentHost = headers.get("host") ?? "";
  const sentOrigin = headers.get("origin");
  if (sentOrigin === null) requireOwnPage(headers);
  const isNamed = forwardedHost !== undefined;
  if (sentOrigin === null && !isNamed && goodHosts.get(rules) === sentHost) return undefined;
  const host = sentHost.toLowerCase();
  requireGoodHost("Host", host, rules);
  goodHosts.set(rules, sentHost);
  if (isNamed) requireGoodHost("X-Forwarded-Host", forwardedHost, rules);
  const origin = sentOrigin?.toLowerCase();
  if (origin === undefined || isOwn(origin, forwardedHost ?? host, headers.get("sec-fetch-site"))) return undefined;
  if (rules.allowedOrigins.includes(origin)) return origin;
  throw new BusError(
    "origin_forbidden",
    "this origin is not allowed: to allow it, start the server with --allowed-origin",
  );
}

/**
 * Whether the origin is the server's own. Over HTTPS and to loopback, browsers say so in `Sec-Fetch-Site`, which no
 * page can set and no proxy rewrites. Otherwise the origin is compared with the host. Many proxies cut the port off the
 * `Host`, so a `Host` without a port may match an origin with any.
 */
function isOwn(origin: string, host: string, site: string | null): boolean {
  if (site === "same-origin") return true;
  const [, originHost, originName] = ORIGIN.exec(origin) ?? [];
  return originHost === host || (originName === host && site === null);
}

/**
 * Refuses what a page of another origin embeds, as an image, a script or a frame: browsers send no `Origin` with these,
 * but do send Fetch Metadata (over HTTPS and to loopback). The page cannot read the response, but a stream would take
 * up a subscriber slot, and a backup disk space. Links to the server may be followed.
 */
function requireOwnPage(headers: Headers): void {
  const site = headers.get("sec-fetch-site");
  if (site === null || site === "same-origin" || site === "none") return;
  if (headers.get("sec-fetch-dest") === "document") return;
  throw new BusError("origin_forbidden", "pages of another origin may link to the server, but not embed its responses");
}

/** The last `Host` that was found good: nearly every request has the same. */
const goodHosts = new WeakMap<OriginRules, string>();

function requireGoodHost(header: string, host: string, rules: OriginRules): void {
  const name = HOST.exec(host)?.groups?.["name"];
  if (name === undefined) {
    throw new BusError(
      "parameter_invalid",
      `the ${header} header must be a name or an address, with or without a port`,
      {
        members: { parameter: header },
      },
    );
  }
  if (rules.isLoopback && !isLoopbackName(name) && !rules.allowedHosts.includes(name)) {
    throw new BusError(
      "origin_forbidden",
      `the ${header} header must be a loopback name or address: to use another, start the server with --allowed-host`,
    );
  }
}
