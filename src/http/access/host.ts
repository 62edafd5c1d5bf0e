import { BusError } from "../../bus/errors.ts";

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\]|::1)$/;
const HOST = /^(?<name>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?<port>:\d{1,5})?$/;

export interface OriginRules {
  /** The server listens on loopback only. */
  readonly isLoopback: boolean;
  /** Names beside the loopback ones that a `Host` may have when the server is bound to loopback. */
  readonly allowedHosts: readonly string[];
  /** Origins of browsers' pages, beside the server's own, that may use it. */
  readonly allowedOrigins: readonly string[];
}

export function isLoopbackName(name: string): boolean {
  return LOOPBACK.test(name.toLowerCase());
}

/**
 * Rejects requests that a browser may have been tricked into: a `Host` that is not ours (DNS rebinding), or a page of
 * another origin. Returns the request's origin if it is another one that is allowed. Throws `parameter_invalid` or
 * `origin_forbidden`.
 */
export function checkOrigin({ headers }: Request, rules: OriginRules): string | undefined {
  const sentHost = headers.get("host") ?? "";
  const sentOrigin = headers.get("origin");
  if (sentOrigin === null) requireOwnPage(headers);
  if (sentOrigin === null && goodHosts.get(rules) === sentHost) return undefined;
  const host = sentHost.toLowerCase();
  requireGoodHost(host, rules);
  goodHosts.set(rules, sentHost);
  const origin = sentOrigin?.toLowerCase();
  if (origin === undefined || origin === `http://${host}` || origin === `https://${host}`) return undefined;
  if (rules.allowedOrigins.includes(origin)) return origin;
  throw new BusError(
    "origin_forbidden",
    "this origin is not allowed: to allow it, start the server with --allowed-origin",
  );
}

/**
 * Refuses what a page of another origin embeds, as an image, a script or a frame: browsers send no `Origin` with these,
 * but Fetch Metadata (over HTTPS and to loopback). The page cannot read the response, but a stream would take up a
 * subscriber slot and a backup the disk. Links to the server may be followed.
 */
function requireOwnPage(headers: Headers): void {
  const site = headers.get("sec-fetch-site");
  if (site === null || site === "same-origin" || site === "none") return;
  if (headers.get("sec-fetch-dest") === "document") return;
  throw new BusError("origin_forbidden", "pages of another origin may link to the server, but not embed its responses");
}

/** The last `Host` that was found good: nearly every request has the same. */
const goodHosts = new WeakMap<OriginRules, string>();

function requireGoodHost(host: string, rules: OriginRules): void {
  const name = HOST.exec(host)?.groups?.["name"];
  if (name === undefined) {
    throw new BusError("parameter_invalid", "the Host header must be a name or an address, with or without a port", {
      members: { parameter: "Host" },
    });
  }
  if (rules.isLoopback && !isLoopbackName(name) && !rules.allowedHosts.includes(name)) {
    throw new BusError(
      "origin_forbidden",
      "the Host header must be a loopback name or address: to use another, start the server with --allowed-host",
    );
  }
}
