import { afterAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { connect as connectTls, type SecureVersion } from "node:tls";
import { connect } from "../../src/client/index.ts";
import { Binary, runBinary } from "../helpers/binary.ts";
import { makeCertificate, type TestCertificate, writeCertificate } from "../helpers/certificates.ts";
import { RawConnection } from "../helpers/http.ts";
import { TempFolder } from "../helpers/temp.ts";

const first = await makeCertificate("first");
const second = await makeCertificate("second");
const folder = new TempFolder();
const flags = writeCertificate(folder.path, first);
afterAll(() => folder[Symbol.dispose]());

/** A handshake with this version only: what was agreed on and who answered, or why it failed. */
function handshake(port: number, version?: SecureVersion): Promise<{ version: string | null; name?: string }> {
  const only = version === undefined ? {} : { minVersion: version, maxVersion: version };
  const { promise, resolve, reject } = Promise.withResolvers<{ version: string | null; name?: string }>();
  const socket = connectTls({ host: "127.0.0.1", port, rejectUnauthorized: false, ...only }, () => {
    resolve({ version: socket.getProtocol(), name: String(socket.getPeerCertificate().subject.CN) });
    socket.destroy();
  });
  socket.on("error", reject);
  return promise;
}

/** `fetch` that trusts these authorities and no others. */
function fetchWith(ca: string | string[]) {
  return (url: string, init: RequestInit = {}) => fetch(url, { ...init, tls: { ca } } as RequestInit);
}

describe("a server with a certificate", () => {
  test("says https and wss, and serves only clients that trust the authority", async () => {
    await using server = await Binary.start({ args: flags });
    expect(server.url).toStartWith("https://127.0.0.1:");
    expect(server.stderr).toContain(`wss://127.0.0.1:${server.port}/api/events/subscribe`);
    expect(await (await fetchWith(first.cert)(`${server.url}/healthz`)).json()).toEqual({ status: "ok" });
    expect(fetchWith(second.cert)(`${server.url}/healthz`)).rejects.toThrow();
    await fetchWith(second.cert)(`${server.url}/healthz`).catch(() => {});
    const curl = Bun.spawn(["curl", "-sS", "--cacert", folder.file("cert.pem"), `${server.url}/healthz`]);
    expect(await new Response(curl.stdout).text()).toBe('{"status":"ok"}');
  });

  test("speaks TLS 1.2 and 1.3, and nothing older", async () => {
    await using server = await Binary.start({ args: flags });
    expect((await handshake(server.port, "TLSv1.2")).version).toBe("TLSv1.2");
    expect((await handshake(server.port, "TLSv1.3")).version).toBe("TLSv1.3");
    for (const version of ["TLSv1", "TLSv1.1"] as const) {
      expect(await handshake(server.port, version).catch((error) => error.code)).toContain("PROTOCOL_VERSION");
    }
  });

  test("closes a connection that speaks plain HTTP, without a response", async () => {
    await using server = await Binary.start({ args: flags });
    using connection = await RawConnection.open(server.url);
    connection.write("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    expect(await connection.answer()).toBeUndefined();
  });

  test("finds the path whatever the Host is", async () => {
    await using server = await Binary.start({ args: [...flags, "--host", "0.0.0.0", "--allow-anonymous"] });
    for (const host of ["a", "ab", "abc", "bus.example:443"]) {
      const url = `https://127.0.0.1:${server.port}/healthz`;
      const answer = await fetchWith(first.cert)(url, { headers: { Host: host } });
      expect(await answer.text()).toBe('{"status":"ok"}');
    }
  });

  test("serves the client SDK, publishing and subscribing", async () => {
    await using server = await Binary.start({ args: flags });
    const bus = connect(server.url, { fetch: fetchWith(first.cert) });
    await bus.publish("a", 1);
    for await (const { topic } of bus.subscribe("a", { since: "all" })) {
      expect(topic).toBe("a");
      break;
    }
    bus.close();
  });
});

describe("a server with a certificate and tokens", () => {
  const trust = { NODE_EXTRA_CA_CERTS: folder.file("cert.pem") };

  test("is managed by the commands, which trust the authority that the environment names", async () => {
    await using server = await Binary.start({ args: flags });
    const place = ["--url", server.url];
    const create = ["token", "create", "ops", "--admin", "--publish", "*", ...place];
    const doubting = await runBinary(create);
    expect(doubting).toMatchObject({ exitCode: 1, stdout: "" });
    const made = await runBinary(create, { env: trust });
    expect(made.stdout).toStartWith("ebt_");
    const env = { ...trust, EVENTBUS_TOKEN: made.stdout.trim() };
    expect((await runBinary(["token", "list", ...place], { env })).stdout).toContain("ops");
    const copy = folder.file("copy.db");
    expect(await runBinary(["backup", copy, ...place], { env })).toMatchObject({ exitCode: 0 });
  });

  test("identifies the publisher, whatever the Host is", async () => {
    const options = [...flags, "--host", "0.0.0.0", "--allow-anonymous", "--rate-limit", "1000"];
    await using server = await Binary.start({ args: options });
    const url = `https://127.0.0.1:${server.port}`;
    const create = ["token", "create", "ops", "--admin", "--publish", "*", "--url", url];
    const { stdout } = await runBinary(create, { env: trust });
    const headers = { Authorization: `Bearer ${stdout.trim()}` };
    for (const host of ["a", "bus.example:443"]) {
      const post = { method: "POST", body: "1", headers: { ...headers, Host: host } };
      expect((await fetchWith(first.cert)(`${url}/api/events/publish/a`, post)).status).toBe(200);
      const anonymous = { method: "POST", body: "1", headers: { Host: host } };
      expect((await fetchWith(first.cert)(`${url}/api/events/publish/a`, anonymous)).status).toBe(401);
    }
  });
});

describe("a renewed certificate", () => {
  /** Writes it, and waits until new connections get it. */
  async function renew(server: Binary, certificate: TestCertificate, name: string): Promise<void> {
    writeCertificate(folder.path, certificate);
    server.signal("SIGHUP");
    for (let seen: string | undefined; seen !== name; ) {
      seen = await handshake(server.port).then(
        (agreed) => agreed.name,
        () => undefined,
      );
    }
  }

  test("is used without dropping a WebSocket, a stream or a request, again and again", async () => {
    writeCertificate(folder.path, first);
    await using server = await Binary.start({ args: flags });
    const trusting = fetchWith([first.cert, second.cert]);
    const address = `${server.url.replace("https", "wss")}/api/events/subscribe?pattern=a`;
    const socket = new WebSocket(address, { tls: { rejectUnauthorized: false } } as unknown as string[]);
    const ids: number[] = [];
    let closed = 0;
    socket.onmessage = ({ data }) => void ids.push(JSON.parse(String(data)).id);
    socket.onclose = () => closed++;
    await new Promise((resolve) => {
      socket.onopen = resolve;
    });
    const bus = connect(server.url, { fetch: trusting });
    const states: string[] = [];
    const subscription = bus.subscribe("a", { onState: ({ kind }) => void states.push(kind) });
    await subscription.opened;
    const received: number[] = [];
    for (const [round, certificate] of [second, first, second].entries()) {
      await bus.publish("a", round);
      await renew(server, certificate, certificate === first ? "first" : "second");
      await bus.publish("a", round);
    }
    for await (const { id } of subscription) if (received.push(id) === 6) break;
    while (ids.length < 6) await new Promise((resolve) => setImmediate(resolve));
    expect({ received, ids }).toEqual({ received: [1, 2, 3, 4, 5, 6], ids: [1, 2, 3, 4, 5, 6] });
    expect(states).toEqual(["open", "ended"]);
    expect(closed).toBe(0);
    expect(await server.stop()).toBe(0);
  });

  test("that is still incomplete leaves the old one in use, and this is reported", async () => {
    writeCertificate(folder.path, first);
    await using server = await Binary.start({ args: flags });
    writeFileSync(folder.file("cert.pem"), second.cert);
    server.signal("SIGHUP");
    while (!server.stderr.includes("keeping the old one")) await new Promise((resolve) => setImmediate(resolve));
    expect((await handshake(server.port)).name).toBe("first");
    await renew(server, second, "second");
  });

  test("is used by a subscriber of a server that was restarted with it", async () => {
    writeCertificate(folder.path, first);
    const where = new TempFolder();
    const args = [...flags, "--db", where.file("eventbus.db")];
    await using old = await Binary.start({ args });
    const { port } = old;
    const bus = connect(old.url, { fetch: fetchWith([first.cert, second.cert]) });
    const subscription = bus.subscribe("a", { since: "all" });
    await bus.publish("a", 1);
    await subscription.opened;
    expect(await old.stop()).toBe(0);
    writeCertificate(folder.path, second);
    await using _ = await Binary.start({ args, port });
    await bus.publish("a", 2);
    const received: number[] = [];
    for await (const { id } of subscription) if (received.push(id) === 2) break;
    expect(received).toEqual([1, 2]);
    bus.close();
    where[Symbol.dispose]();
  });
});

describe("a certificate that cannot be used is reported", () => {
  const bad = new TempFolder();
  afterAll(() => bad[Symbol.dispose]());
  const file = (name: string, text: string) => {
    writeFileSync(bad.file(name), text);
    return bad.file(name);
  };
  const cert = file("cert.pem", first.cert);
  const key = file("key.pem", first.key);
  test.each([
    ["one without the other", ["--tls-cert", cert], "--tls-cert requires --tls-key"],
    ["a key alone", ["--tls-key", key], "--tls-key requires --tls-cert"],
    ["a missing file", ["--tls-cert", "none.pem", "--tls-key", key], "none.pem cannot be read: there is no such file"],
    ["a folder", ["--tls-cert", bad.path, "--tls-key", key], "cannot be read: it is a folder"],
    ["no certificate", ["--tls-cert", key, "--tls-key", key], "does not begin with a certificate in PEM"],
    ["no key", ["--tls-cert", cert, "--tls-key", cert], "contains no private key in PEM"],
    ["another's key", ["--tls-cert", cert, "--tls-key", file("other.pem", second.key)], "does not belong"],
  ])("%s", async (_, args, words) => {
    const { exitCode, stderr } = await runBinary(["--port", "0", ...args]);
    expect(stderr).toContain(words);
    expect(stderr).not.toContain("at ");
    expect(exitCode).toBe(2);
  });

  test("and one that has expired is warned about", async () => {
    const expired = await makeCertificate("old", -1);
    const own = new TempFolder();
    await using server = await Binary.start({ args: writeCertificate(own.path, expired) });
    expect(server.stderr).toContain("has expired");
    own[Symbol.dispose]();
  });
});
