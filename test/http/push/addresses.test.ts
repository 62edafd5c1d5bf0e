import { describe, expect, test } from "bun:test";
import { parseNetwork } from "../../../src/http/access/network.ts";
import { addressFor } from "../../../src/http/push/addresses.ts";

const strict = { allowed: [], isLoopbackAllowed: false };

/** A name that resolves to these. */
function resolving(...addresses: string[]) {
  return async () => addresses;
}

describe("the address that is posted to", () => {
  test.each([
    "127.0.0.1",
    "127.1.2.3",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.0.8",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::10.0.0.1",
    "2002:7f00:1::",
    "2001::7f00:1",
    "fe80::1",
    "fc00::1",
    "fd12:3456::1",
    "ff02::1",
    "2001:db8::1",
  ])("is never %s, as a literal or by a name", async (address) => {
    await expect(addressFor("hook.example", strict, resolving(address))).rejects.toThrow("not public");
    const host = address.includes(":") ? `[${address}]` : address;
    await expect(addressFor(host, strict, resolving("8.8.8.8"))).rejects.toThrow("not public");
  });

  test.each(["8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8"])(
    "may be %s",
    async (address) => {
      const found = await addressFor("hook.example", strict, resolving(address));
      expect([address, found]).toEqual([address, address]);
    },
  );

  test("is refused if even one of the addresses of a name is not public", async () => {
    await expect(addressFor("hook.example", strict, resolving("8.8.8.8", "10.0.0.1"))).rejects.toThrow("10.0.0.1");
  });

  test.each([
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0177.0.0.1/",
    "http://127.1/",
    "http://127。0。0。1/",
  ])("is recognised in the form %s", async (url) => {
    const { hostname } = new URL(url);
    await expect(addressFor(hostname, strict, resolving("8.8.8.8"))).rejects.toThrow("not public");
  });

  test("may be one that is allowed, and loopback on a bus that is bound to it", async () => {
    const rules = { allowed: [parseNetwork("10.0.0.0/8")], isLoopbackAllowed: true };
    expect(await addressFor("hook.example", rules, resolving("10.1.2.3"))).toBe("10.1.2.3");
    expect(await addressFor("localhost", rules, resolving("127.0.0.1"))).toBe("127.0.0.1");
    await expect(addressFor("hook.example", rules, resolving("192.168.0.1"))).rejects.toThrow("not public");
  });
});
