import { describe, expect, test } from "bun:test";
import { exchange, expectRawProblem, requestText } from "../../helpers/http.ts";
import { sharedService } from "../../helpers/service.ts";

const TARGET = "GET /api/events/history";

describe("a server on loopback", () => {
  const service = sharedService({ allowedHosts: ["bus.test"], allowedOrigins: ["https://app.test"] });

  const taken = ["127.0.0.1", "127.0.0.1:9800", "127.1.2.3", "localhost", "LocalHost:1", "[::1]", "[::1]:9800"];
  for (const host of [...taken, "bus.test", "Bus.Test:80"]) {
    test(`takes the Host ${host}`, async () => {
      expect((await exchange(service.url, requestText(TARGET, [`Host: ${host}`])))?.status).toBe(200);
    });
  }

  const foreign = [
    "a",
    "evil.example",
    "evil.example:9800",
    "192.168.0.1",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "[::2]",
  ];
  for (const host of foreign) {
    test(`rejects the Host ${host}, which may be a DNS name that was rebound`, async () => {
      const answer = await exchange(service.url, requestText(TARGET, [`Host: ${host}`]));
      expect(expectRawProblem(answer, "origin_forbidden").detail).toContain("--allowed-host");
    });
  }

  const odd = [
    "",
    "127.0.0.1@evil.example",
    "127.0.0.1/",
    "local host",
    "127.0.0.1:99999999",
    "::1",
    "日",
    "a,b",
    "127.0.0.1:",
  ];
  for (const host of odd) {
    test(`rejects ${JSON.stringify(host)}, which is not a valid Host`, async () => {
      const answer = await exchange(service.url, requestText(TARGET, [`Host: ${host}`]));
      expect(expectRawProblem(answer, "parameter_invalid").parameter).toBe("Host");
    });
  }

  for (const hosts of [
    ["127.0.0.1", "evil.example"],
    ["evil.example", "127.0.0.1"],
    ["127.0.0.1", "127.0.0.1"],
  ]) {
    test(`rejects two Hosts, ${hosts.join(" and ")}`, async () => {
      const answer = await exchange(
        service.url,
        requestText(
          TARGET,
          hosts.map((host) => `Host: ${host}`),
        ),
      );
      expectRawProblem(answer, "parameter_invalid");
    });
  }

  test("rejects a request without a Host", async () => {
    expect((await exchange(service.url, `${TARGET} HTTP/1.1\r\n\r\n`))?.status).toBe(400);
    expectRawProblem(await exchange(service.url, `${TARGET} HTTP/1.0\r\n\r\n`), "parameter_invalid");
  });

  test.each(["/healthz", "/readyz", "/healthz?probe=1"])("answers %s of HTTP/1.0 without a Host", async (path) => {
    const answer = await exchange(service.url, `GET ${path} HTTP/1.0\r\n\r\n`);
    expect(answer?.status).toBe(path.includes("?") ? 400 : 200);
    const withHost = await exchange(service.url, `GET ${path} HTTP/1.0\r\nHost: evil.example\r\n\r\n`);
    expectRawProblem(withHost, "origin_forbidden");
    const head = await exchange(service.url, `HEAD ${path} HTTP/1.0\r\n\r\n`);
    expect(head?.status).toBe(answer?.status);
  });

  test("takes a target that names the server", async () => {
    const answer = await exchange(service.url, requestText("GET http://127.0.0.1/healthz"));
    expect(answer?.body).toBe('{"status":"ok"}');
  });

  const own = [
    ["http://127.0.0.1:9800", "127.0.0.1:9800"],
    ["http://localhost", "LOCALHOST"],
    ["HTTPS://bus.test", "bus.test"],
    ["https://app.test", "127.0.0.1:9800"],
    ["http://bus.test:8080", "bus.test"],
    ["https://127.0.0.1:8443", "127.0.0.1"],
    ["http://[::1]:8080", "[::1]"],
  ] as const;
  for (const [origin, host] of own) {
    test(`takes the Origin ${origin} for the Host ${host}`, async () => {
      const answer = await exchange(service.url, requestText(TARGET, [`Host: ${host}`, `Origin: ${origin}`]));
      expect(answer?.status).toBe(200);
    });
  }

  const others = [
    "http://evil.example",
    "null",
    "http://127.0.0.1:9801",
    "http://127.0.0.1",
    "file://",
    "https://app.test:444",
  ];
  for (const origin of others) {
    test(`rejects the Origin ${origin}`, async () => {
      const headers = ["Host: 127.0.0.1:9800", `Origin: ${origin}`];
      const answer = await exchange(service.url, requestText(TARGET, headers));
      expect(expectRawProblem(answer, "origin_forbidden").detail).toContain("--allowed-origin");
    });
  }

  test.each(["http://evil.example:8080", "http://bus.test.evil.example", "ftp://bus.test:21"])(
    "rejects the Origin %s, which is not the server's name with another port",
    async (origin) => {
      const answer = await exchange(service.url, requestText(TARGET, ["Host: bus.test", `Origin: ${origin}`]));
      expectRawProblem(answer, "origin_forbidden");
    },
  );

  test("accepts what a browser calls its own origin, behind a proxy that rewrites the Host", async () => {
    const from = (site: string) => ["Host: 127.0.0.1:9800", "Origin: http://bus.test:8080", `Sec-Fetch-Site: ${site}`];
    expect((await exchange(service.url, requestText(TARGET, from("same-origin"))))?.status).toBe(200);
    const other = ["Host: bus.test", "Origin: http://bus.test:8080", "Sec-Fetch-Site: same-site"];
    expectRawProblem(await exchange(service.url, requestText(TARGET, from("same-site"))), "origin_forbidden");
    expectRawProblem(await exchange(service.url, requestText(TARGET, other)), "origin_forbidden");
  });

  const simple = ["application/x-www-form-urlencoded", "text/plain"];
  for (const type of simple) {
    test(`keeps nothing of what a foreign page publishes as ${type}, without a preflight`, async () => {
      const headers = ["Origin: http://evil.example", `Content-Type: ${type}`];
      const request = requestText("POST /api/events/publish/a", headers, "1");
      expectRawProblem(await exchange(service.url, request), "origin_forbidden");
      expect(service.bus.head).toBe(0);
    });
  }

  const embedded = [
    ["cross-site", "image"],
    ["cross-site", "iframe"],
    ["same-site", "script"],
    ["cross-site", "empty"],
  ] as const;
  for (const [site, destination] of embedded) {
    test(`rejects what a ${site} page embeds as ${destination}, for which a browser sends no Origin`, async () => {
      const headers = [`Sec-Fetch-Site: ${site}`, `Sec-Fetch-Dest: ${destination}`];
      expectRawProblem(await exchange(service.url, requestText(TARGET, headers)), "origin_forbidden");
    });
  }

  const ownOrLinked = [
    ["same-origin", "empty"],
    ["none", "document"],
    ["cross-site", "document"],
  ] as const;
  for (const [site, destination] of ownOrLinked) {
    test(`takes a request of ${site} for a ${destination}`, async () => {
      const headers = [`Sec-Fetch-Site: ${site}`, `Sec-Fetch-Dest: ${destination}`];
      expect((await exchange(service.url, requestText(TARGET, headers)))?.status).toBe(200);
    });
  }

  test("rejects a foreign page's WebSocket before the upgrade", async () => {
    const headers = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"];
    const all = [...headers, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Origin: http://evil.example"];
    const answer = await exchange(service.url, requestText("GET /api/events/subscribe", all));
    expectRawProblem(answer, "origin_forbidden");
  });
});

describe("a server for all interfaces", () => {
  const service = sharedService({ host: "0.0.0.0", allowAnonymous: true });
  const url = () => `http://127.0.0.1:${service.port}`;

  for (const host of ["a", "ab", "bus.example", "10.0.0.1:80"]) {
    test(`finds the path whatever the Host is, ${host}`, async () => {
      const answer = await exchange(url(), requestText("GET /healthz", [`Host: ${host}`]));
      expect(answer?.body).toBe('{"status":"ok"}');
    });
  }

  test("still rejects pages of another origin", async () => {
    const answer = await exchange(url(), requestText(TARGET, ["Host: bus.example", "Origin: http://evil.example"]));
    expectRawProblem(answer, "origin_forbidden");
  });
});
