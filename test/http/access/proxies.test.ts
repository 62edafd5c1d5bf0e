import { describe, expect, test } from "bun:test";
import { parseNetwork } from "../../../src/http/access/network.ts";
import { TrustedProxies } from "../../../src/http/access/proxies.ts";
import { exchange, expectOk, expectProblem, expectRawProblem, requestText } from "../../helpers/http.ts";
import { sharedService } from "../../helpers/service.ts";

const proxies = new TrustedProxies(["10.0.0.0/8", "::1"].map(parseNetwork));
const senderOf = (headers: Record<string, string>, peer = "10.0.0.1") => proxies.senderOf(new Headers(headers), peer);

describe("what a trusted proxy reports", () => {
  test.each([
    ["192.0.2.1", "192.0.2.1"],
    ["192.0.2.1:4711", "192.0.2.1"],
    ["[2001:db8::1]:4711", "2001:db8::1"],
    ["2001:db8::1", "2001:db8::1"],
    ["6.6.6.6, 192.0.2.1", "192.0.2.1"],
    ["192.0.2.1, 10.9.9.9, 10.0.0.2", "192.0.2.1"],
    ["6.6.6.6, unknown, 10.0.0.2", "10.0.0.2"],
    ["10.0.0.2", "10.0.0.2"],
    [",, ", "10.0.0.1"],
  ])("as X-Forwarded-For %j, is the client %s", (header, address) => {
    expect(senderOf({ "X-Forwarded-For": header }).address).toBe(address);
  });

  test("is the scheme, the host and the prefix that the client used", () => {
    const headers = {
      "X-Forwarded-Proto": "https",
      "X-Forwarded-Host": "Bus.Example:8443",
      "X-Forwarded-Prefix": "/bus/",
    };
    expect(senderOf(headers)).toEqual({
      address: "10.0.0.1",
      host: "bus.example:8443",
      isSecure: true,
      prefix: "/bus",
    });
    expect(senderOf({ "X-Forwarded-Proto": "http" }, "::1").isSecure).toBe(false);
  });

  test.each(["//evil.example", "bus", "/a\u00e4", "/a b", "/", "https://evil.example/"])(
    "is no prefix when it is %j",
    (prefix) => expect(senderOf({ "X-Forwarded-Prefix": prefix }).prefix).toBe(""),
  );

  test("is read from Forwarded where the others are not sent", () => {
    const Forwarded = 'for="[2001:db8::1]:4711";proto=https;host="bus.example:8443", For=10.0.0.7;by=10.0.0.1';
    const seen = { address: "2001:db8::1", host: "bus.example:8443", isSecure: true, prefix: "" };
    expect(senderOf({ Forwarded })).toEqual(seen);
    expect(senderOf({ Forwarded, "X-Forwarded-For": "192.0.2.1" }).address).toBe("192.0.2.1");
    expect(senderOf({ Forwarded: "for=_hidden, for=unknown" }).address).toBe("10.0.0.1");
  });

  test("costs little, however it is written", () => {
    const startMs = performance.now();
    for (const part of ['"', '\\"', ",", ";for=", 'for="', "a=b;"]) {
      senderOf({ Forwarded: part.repeat(16_000 / part.length) });
    }
    expect(performance.now() - startMs).toBeLessThan(2000);
  });

  test("is ignored from any other address, and without proxies", () => {
    const headers = { "X-Forwarded-For": "192.0.2.1", "X-Forwarded-Host": "a", Forwarded: "for=192.0.2.2" };
    const direct = { address: "11.0.0.1", host: undefined, isSecure: undefined, prefix: "" };
    expect(senderOf(headers, "11.0.0.1")).toEqual(direct);
    expect(new TrustedProxies([]).senderOf(new Headers(headers), "11.0.0.1")).toEqual(direct);
  });
});

describe("a server behind a trusted proxy", () => {
  const service = sharedService({ trustedProxies: ["127.0.0.1"], allowedHosts: ["bus.example"], rateLimit: 1 });
  const post = (address: string) =>
    fetch(`${service.url}/api/events/publish/a`, {
      method: "POST",
      body: "1",
      headers: { "X-Forwarded-For": `6.6.6.6, ${address}` },
    });

  test("limits the rate of each client, not of the proxy", async () => {
    const answers = await Promise.all(Array.from({ length: 10 }, () => post("192.0.2.1")));
    expect(answers.filter(({ status }) => status === 429).length).toBeGreaterThan(0);
    await expectOk(await post("192.0.2.2"));
  });

  test("takes the host that the client named for its own", async () => {
    const from = (origin: string, host: string) => ({ Origin: origin, "X-Forwarded-Host": host });
    const ask = (headers: Record<string, string>) => fetch(`${service.url}/api/events/history`, { headers });
    await expectOk(await ask(from("https://bus.example:8443", "bus.example:8443")));
    await expectProblem(await ask(from("https://evil.example", "bus.example")), "origin_forbidden");
    await expectProblem(await ask(from("https://evil.example", "evil.example")), "origin_forbidden");
    expect((await expectProblem(await ask(from("http://a", "a b")), "parameter_invalid")).parameter).toBe(
      "X-Forwarded-Host",
    );
  });

  test("still rejects a name that was rebound to it, whatever it claims was forwarded", async () => {
    const headers = ["Host: evil.example:9800", "X-Forwarded-Host: localhost", "Origin: http://localhost"];
    const answer = await exchange(service.url, requestText("GET /api/events/history", headers));
    expectRawProblem(answer, "origin_forbidden");
  });

  test("describes the address that the client used", async () => {
    const headers = { "X-Forwarded-Proto": "https", "X-Forwarded-Host": "bus.example", "X-Forwarded-Prefix": "/bus" };
    const { servers } = await (await fetch(`${service.url}/asyncapi.json`, { headers })).json();
    expect(servers.this).toMatchObject({ host: "bus.example", protocol: "wss", pathname: "/bus" });
  });
});

describe("a server that trusts no proxy", () => {
  const service = sharedService({ rateLimit: 1 });

  test("ignores what clients say about themselves", async () => {
    const send = (index: number) => ({
      method: "POST",
      body: "1",
      headers: { "X-Forwarded-For": `192.0.2.${index}`, "X-Forwarded-Host": "evil.example" },
    });
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) => fetch(`${service.url}/api/events/publish/a`, send(index))),
    );
    const statuses = answers.map(({ status }) => status);
    expect(statuses).toContain(200);
    expect(statuses).toContain(429);
  });
});
