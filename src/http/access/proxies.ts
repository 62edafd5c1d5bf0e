import { isIP } from "node:net";
import type { Network } from "./network.ts";

/** What a client asked for, as far as it is known: a trusted proxy in between may have reported it. */
export interface Sender {
  /** The client's address; undefined when it is gone. */
  readonly address: string | undefined;
  /** The host that the client named, if a trusted proxy reported it. */
  readonly host: string | undefined;
  /** Whether the client speaks HTTPS, if a trusted proxy reported it. */
  readonly isSecure: boolean | undefined;
  /** The path at which the proxy serves the bus, without a slash at its end; empty for the root. */
  readonly prefix: string;
}

/** Proxies in a row that are searched for a client's address; no realistic setup has more. */
const MAX_PROXIES = 32;
const PREFIX = /^(?:\/[\w.~!$&'()*+,;=:@%-]+)+\/?$/;

/**
 * The proxies whose reports count. What others send in these headers is ignored, as every client can send them.
 *
 * `X-Forwarded-For`, `-Proto`, `-Host` and `-Prefix` count, and `Forwarded` (RFC 7239) where none of these is sent: a
 * proxy sets one of the two, and passes on what clients send in the other.
 */
export class TrustedProxies {
  readonly #networks: readonly Network[];

  constructor(networks: readonly Network[]) {
    this.#networks = networks;
  }

  /** Whether no proxy is trusted, so no header counts. */
  get isEmpty(): boolean {
    return this.#networks.length === 0;
  }

  /** Reads the headers of a request that came from this address. */
  senderOf(headers: Headers, peer: string | undefined): Sender {
    if (peer === undefined || !this.#trusts(peer)) return directly(peer);
    const { addresses, scheme, host } = usual(headers) ?? standard(headers) ?? NOTHING;
    return {
      address: this.#clientOf(peer, addresses),
      host: host?.toLowerCase(),
      isSecure: scheme === undefined ? undefined : /^(https|wss)$/i.test(scheme),
      prefix: prefixOf(headers),
    };
  }

  /** The last address that is not a trusted proxy's: the client may have invented those before it. */
  #clientOf(peer: string, addresses: readonly string[]): string {
    let client = peer;
    for (const text of addresses.slice(-MAX_PROXIES).reverse()) {
      const address = addressIn(text);
      if (address === undefined) return client;
      client = address;
      if (!this.#trusts(address)) return client;
    }
    return client;
  }

  #trusts(address: string): boolean {
    return this.#networks.some((network) => network.contains(address));
  }
}

function directly(address: string | undefined): Sender {
  return { address, host: undefined, isSecure: undefined, prefix: "" };
}

/** What the headers report: the addresses in the order in which the request passed them. */
interface Report {
  readonly addresses: readonly string[];
  readonly scheme?: string | undefined;
  readonly host?: string | undefined;
}

const NOTHING: Report = { addresses: [] };

function usual(headers: Headers): Report | undefined {
  const [from, scheme, host] = ["for", "proto", "host"].map((name) => listOf(headers.get(`x-forwarded-${name}`)));
  if (!from?.length && !scheme?.length && !host?.length) return undefined;
  return { addresses: from ?? [], scheme: scheme?.[0], host: host?.[0] };
}

function listOf(header: string | null): string[] {
  const items = header?.split(",").map((item) => item.trim()) ?? [];
  return items.filter((item) => item !== "");
}

/** `Forwarded: for=192.0.2.60;proto=https;host="bus.example:8443", for="[2001:db8::1]"`. */
function standard(headers: Headers): Report | undefined {
  const header = headers.get("forwarded");
  if (header === null) return undefined;
  const elements = header.match(/(?:[^",]|"(?:[^"\\]|\\.)*")+/g) ?? [];
  const hops = elements.map(parametersOf);
  const first = (name: string) => hops.find((hop) => hop.has(name))?.get(name);
  return { addresses: hops.map((hop) => hop.get("for") ?? ""), scheme: first("proto"), host: first("host") };
}

function parametersOf(element: string): ReadonlyMap<string, string> {
  const pairs = element.matchAll(/(?:^|;)\s*([\w-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))/g);
  const found = new Map<string, string>();
  for (const [, name = "", quoted, plain = ""] of pairs) {
    found.set(name.toLowerCase(), quoted?.replace(/\\(.)/g, "$1") ?? plain);
  }
  return found;
}

/** The address in `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1` and `[2001:db8::1]:4711`; undefined for other texts. */
function addressIn(text: string): string | undefined {
  const [, inBrackets] = /^\[([^\]]+)\](?::\w+)?$/.exec(text) ?? [];
  const address = inBrackets ?? text.replace(/^([^:]+):\w+$/, "$1");
  return isIP(address) === 0 ? undefined : address;
}

function prefixOf(headers: Headers): string {
  const [prefix = ""] = listOf(headers.get("x-forwarded-prefix"));
  return PREFIX.test(prefix) ? prefix.replace(/\/$/, "") : "";
}
