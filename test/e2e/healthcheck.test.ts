import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Binary, runBinary } from "../helpers/binary.ts";
import { makeCertificate, writeCertificate } from "../helpers/certificates.ts";
import { TempFolder } from "../helpers/temp.ts";

const check = (args: readonly string[], env: Record<string, string> = {}) =>
  runBinary(["healthcheck", ...args], { env });

describe("eventbus healthcheck", () => {
  test("asks the server that the same settings start, from wherever they come", async () => {
    await using binary = await Binary.start({ args: ["--host", "0.0.0.0", "--allow-anonymous"] });
    const port = String(binary.port);
    expect(await check(["--port", port])).toMatchObject({ exitCode: 0, stdout: "alive\n", stderr: "" });
    expect(await check([], { EVENTBUS_PORT: port, EVENTBUS_HOST: "0.0.0.0" })).toMatchObject({ exitCode: 0 });
    using folder = new TempFolder();
    const file = folder.file("eventbus.toml");
    writeFileSync(file, `port = ${port}\nhost = "0.0.0.0"\n`);
    expect(await check(["--config", file], { HTTP_PROXY: "http://127.0.0.1:9" })).toMatchObject({ exitCode: 0 });
  });

  test("asks over TLS, whatever name the certificate is for", async () => {
    using folder = new TempFolder();
    const flags = writeCertificate(folder.path, await makeCertificate("bus.example"));
    await using binary = await Binary.start({ args: flags });
    expect(await check([...flags, "--port", String(binary.port)])).toMatchObject({ exitCode: 0 });
    expect(await check(["--port", String(binary.port)])).toMatchObject({ exitCode: 1, stdout: "" });
  });

  test("fails when nothing answers, and when the port cannot be known", async () => {
    const gone = await Binary.start();
    await gone.stop();
    const failed = await check(["--port", String(gone.port)]);
    expect(failed).toMatchObject({ exitCode: 1, stdout: "" });
    expect(failed.stderr).toBe(`eventbus: no response from http://127.0.0.1:${gone.port}/healthz\n`);
    expect(await check(["--port", "0"])).toMatchObject({ exitCode: 2 });
  });
});

test("eventbus version says what was built, for people and for programs", async () => {
  const { version } = await Bun.file(join(import.meta.dir, "../../package.json")).json();
  expect(await runBinary(["version"])).toMatchObject({ exitCode: 0, stdout: `${version}\n` });
  const { stdout } = await runBinary(["version", "--json"]);
  expect(JSON.parse(stdout)).toEqual({
    version,
    commit: expect.stringMatching(/^[0-9a-f]{40}$/),
    target: `${process.platform}-${process.arch}`,
    bun: Bun.version,
  });
});
