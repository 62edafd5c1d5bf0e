import { describe, expect, test } from "bun:test";
import { parseNetwork } from "../../../src/http/access/network.ts";

describe("a network", () => {
  test.each([
    ["10.0.0.0/8", ["10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3"], ["11.0.0.0", "9.255.255.255", "::1", "x", ""]],
    ["192.0.2.7", ["192.0.2.7"], ["192.0.2.6", "192.0.2.8"]],
    ["0.0.0.0/0", ["1.2.3.4"], ["2001:db8::1"]],
    ["fd00::/8", ["fd12::1", "fdff:ffff::"], ["fe00::1", "10.0.0.1"]],
    ["::1", ["::1", "0:0:0:0:0:0:0:1"], ["::2", "127.0.0.1"]],
  ])("%s has its addresses and no others", (text, inside, outside) => {
    const network = parseNetwork(text);
    expect(inside.filter((address) => !network.contains(address))).toEqual([]);
    expect(outside.filter((address) => network.contains(address))).toEqual([]);
  });

  test.each([
    "",
    "10.0.0.0/33",
    "::/129",
    "10.0.0/8",
    "bus.example",
    "10.0.0.0/8/8",
    "fe80::1%eth0",
    "10.0.0.0/-1",
    "*",
  ])("is not %j", (text) => {
    expect(() => parseNetwork(text)).toThrow("must be an address or a range such as 10.0.0.0/8");
  });
});
