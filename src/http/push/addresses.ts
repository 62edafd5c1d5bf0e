import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { type Network, parseNetwork } from "../access/network.ts";

/** Networks to which nothing is posted unless that is allowed: this machine, and private, shared and reserved ones. */
const REFUSED: readonly Network[] = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/3",
].map(parseNetwork);
/** Only these are routed on the public Internet; of them, those below are reserved, or may carry an IPv4 address. */
const PUBLIC_IPV6 = parseNetwork("2000::/3");
const REFUSED_IPV6: readonly Network[] = ["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"].map(parseNetwork);
const LOOPBACK: readonly Network[] = ["127.0.0.0/8", "::1/128"].map(parseNetwork);
const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/** Why nothing is posted to an address. */
export class AddressRefused extends Error {
  override readonly name = "AddressRefused";
}

export interface AddressRules {
  /** Networks that are always allowed. */
  readonly allowed: readonly Network[];
  /** Loopback is allowed, too. */
  readonly isLoopbackAllowed: boolean;
}

/** The addresses of a name, as the system resolves it now. */
export type Resolve = (host: string) => Promise<readonly string[]>;

export async function resolveBySystem(host: string): Promise<readonly string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address);
}

/**
 * The address to connect to for this host, which MUST be used as it is: the name may resolve to another one a moment
 * later. Throws `AddressRefused` if any address of the host is refused.
 */
export async function addressFor(host: string, rules: AddressRules, resolve: Resolve): Promise<string> {
  const name = host.replace(/^\[|\]$/g, "");
  const addresses = isIP(name) === 0 ? await resolve(name) : [name];
  const [first] = addresses;
  if (first === undefined) throw new AddressRefused(`${host} has no address`);
  const refused = addresses.find((address) => !isAllowed(address, rules));
  if (refused === undefined) return first;
  throw new AddressRefused(
    `${host} is the address ${refused}, which is not public: to allow it, start the server with --push-allow ${refused}`,
  );
}

function isAllowed(address: string, { allowed, isLoopbackAllowed }: AddressRules): boolean {
  const plain = MAPPED.exec(address)?.[1] ?? address;
  if (allowed.some((network) => network.contains(plain))) return true;
  if (LOOPBACK.some((network) => network.contains(plain))) return isLoopbackAllowed;
  if (isIP(plain) === 4) return !REFUSED.some((network) => network.contains(plain));
  return PUBLIC_IPV6.contains(plain) && !REFUSED_IPV6.some((network) => network.contains(plain));
}
