import { BlockList, isIP } from "node:net";
import { BusError } from "../../bus/errors.ts";

/** A range of IP addresses. */
export interface Network {
  readonly text: string;
  /** Whether the address, IPv4 or IPv6, belongs to it; an IPv4 address in IPv6 form counts as IPv4. */
  contains(address: string): boolean;
}

/** Parses an address or a range in CIDR form, such as `10.0.0.0/8` or `fd00::/8`. Throws `parameter_invalid`. */
export function parseNetwork(text: string): Network {
  const [, address = "", length] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const version = isIP(address);
  const bits = version === 4 ? 32 : 128;
  const prefix = length === undefined ? bits : Number(length);
  if (version === 0 || address.includes("%") || prefix > bits) {
    throw new BusError("parameter_invalid", "must be an address or a range such as 10.0.0.0/8, 192.0.2.7 or fd00::/8");
  }
  const list = new BlockList();
  list.addSubnet(address, prefix, `ipv${version === 4 ? 4 : 6}`);
  return {
    text,
    contains: (one) => {
      const oneVersion = isIP(one);
      return oneVersion !== 0 && list.check(one, oneVersion === 4 ? "ipv4" : "ipv6");
    },
  };
}
