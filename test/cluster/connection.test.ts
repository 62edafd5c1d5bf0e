import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { jetstreamManager } from "@nats-io/jetstream";
import { connectToNats } from "../../src/cluster/connection.ts";
import { type ClusterSettings, clusterSettingsOf } from "../../src/cluster/settings.ts";
import { type Config, readConfig } from "../../src/config.ts";
import { makeCertificate, writeCertificate } from "../helpers/certificates.ts";
import { makeCredentials } from "../helpers/nats-credentials.ts";
import { NatsServer } from "../helpers/nats-server.ts";
import { TcpProxy } from "../helpers/proxy.ts";
import { describeWith } from "../helpers/requires.ts";
import { TempFolder } from "../helpers/temp.ts";

describeWith("nats-server", "the connection to NATS", () => {
  test("is made once a server is there, and says until then why it is not", async () => {
    await using server = new NatsServer();
    const failed = Promise.withResolvers<string>();
    const connecting = connected(settingsOf(server.url), failed.resolve);
    expect(await failed.promise).toContain("connection refused");
    await server.start();
    await using connection = await connecting;
    expect(connection.nats.info?.version).toMatch(/^2\./);
  });

  test("goes on with another server", async () => {
    await using dead = new NatsServer();
    await using server = await NatsServer.start();
    await using connection = await connected(settingsOf(dead.url, server.url));
    expect(connection.nats.getServer()).toBe(`127.0.0.1:${server.port}`);
  });

  test("is made again each time it is cut, without limit", async () => {
    await using server = await NatsServer.start();
    using proxy = new TcpProxy(server.url);
    await using connection = await connected(settingsOf(proxy.url.replace("http:", "nats:")));
    const changes = connection.nats.status();
    proxy.cut();
    for await (const { type } of changes) if (type === "reconnect") break;
    await connection.nats.flush();
    expect(proxy.connections).toBeGreaterThan(1);
  });

  test("sends the token, and reports a wrong one", async () => {
    await using server = await NatsServer.start({ config: "authorization { token: right }" });
    const failed = Promise.withResolvers<string>();
    const abort = new AbortController();
    const wrong = connected({ ...settingsOf(server.url), token: "wrong" }, failed.resolve, abort.signal);
    expect(await failed.promise).toContain("Authorization Violation");
    abort.abort();
    await expect(wrong).rejects.toThrow("aborted");
    await using connection = await connected({ ...settingsOf(server.url), token: "right" });
    await connection.nats.flush();
  });

  test("uses a credentials file, read afresh at each attempt", async () => {
    using folder = new TempFolder();
    const file = folder.file("user.creds");
    const [right, wrong] = [makeCredentials(), makeCredentials()];
    await using server = await NatsServer.start({ config: right.config });
    writeFileSync(file, wrong.creds);
    const failed = Promise.withResolvers<string>();
    const connecting = connected(settingsWith({ cluster: [server.url], clusterCreds: file }), failed.resolve);
    expect(await failed.promise).toContain("Authorization Violation");
    writeFileSync(file, right.creds);
    await using connection = await connecting;
    const { streams } = await jetstreamManager(connection.nats);
    expect(await streams.add({ name: "mine", subjects: ["mine"] })).toMatchObject({ state: { messages: 0 } });
  });

  test("is encrypted, and verifies the server", async () => {
    using folder = new TempFolder();
    const certificate = await makeCertificate("nats");
    writeCertificate(folder.path, certificate);
    const [cert, key] = [folder.file("cert.pem"), folder.file("key.pem")];
    await using server = await NatsServer.start({ config: `tls { cert_file: "${cert}", key_file: "${key}" }` });
    await using trusting = await connected(settingsWith({ cluster: [server.url], clusterTlsCa: cert }));
    await trusting.nats.flush();
    const failed = Promise.withResolvers<string>();
    const abort = new AbortController();
    const doubting = connected(settingsOf(server.url.replace("nats:", "tls:")), failed.resolve, abort.signal);
    expect(await failed.promise).toContain("self signed certificate");
    abort.abort();
    await expect(doubting).rejects.toThrow("aborted");
  });

  test("is not made without TLS where TLS was asked for", async () => {
    await using server = await NatsServer.start();
    const failed = Promise.withResolvers<string>();
    const abort = new AbortController();
    const plain = connected(settingsOf(server.url.replace("nats:", "tls:")), failed.resolve, abort.signal);
    expect(await failed.promise).toContain("tls");
    abort.abort();
    await expect(plain).rejects.toThrow("aborted");
  });
});

function settingsOf(...cluster: string[]): ClusterSettings {
  return settingsWith({ cluster });
}

function settingsWith(overrides: Partial<Config>): ClusterSettings {
  const settings = clusterSettingsOf({ ...readConfig({}, {}), ...overrides });
  if (settings === undefined) throw new Error("there is no cluster in these settings");
  return settings;
}

async function connected(
  settings: ClusterSettings,
  onFailure: (reason: string) => void = () => {},
  signal = new AbortController().signal,
) {
  const nats = await connectToNats(settings, { node: "test", onFailure, signal });
  return { nats, [Symbol.asyncDispose]: () => nats.close() };
}
