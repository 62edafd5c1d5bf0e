import { describe, expect, test } from "bun:test";
import { mkdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { Binary } from "../helpers/binary.ts";
import { post, publish } from "../helpers/http.ts";
import { TempFolder } from "../helpers/temp.ts";

const BINARY = process.env["EVENTBUS_TEST_BINARY"] ?? resolve(import.meta.dir, "../../dist/eventbus");
/** A disk of its own, of 2 MiB, in a namespace of its own. */
const ON_SMALL_DISK = `mount -t tmpfs -o size=2m tmpfs "$1" && exec "$0" --port 0 --db "$1/eventbus.db"`;
const NAME_SPACE = ["unshare", "--user", "--map-root-user", "--mount"];

/** Starts the command and resolves with its address. Standard error is no longer read after that. */
async function start(command: readonly string[]) {
  const child = Bun.spawn([...command], { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
  const reader = child.stderr.getReader();
  let said = "";
  while (!/listening on \S+\s/.test(said)) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`it did not start: ${said}`);
    said += new TextDecoder().decode(value);
  }
  const url = /listening on (\S+)\s/.exec(said)?.[1] ?? "";
  return {
    url,
    child,
    reader,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

describe("the binary", () => {
  test("is not ready while its disk is full, says so, and stays alive", async () => {
    using folder = new TempFolder();
    const disk = folder.file("disk");
    mkdirSync(disk);
    await using server = await start([...NAME_SPACE, "sh", "-c", ON_SMALL_DISK, BINARY, disk]);
    expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
    let status = 200;
    while (status === 200) {
      const body = JSON.stringify({ topic: "a", data: "x".repeat(100_000) });
      status = (await fetch(`${server.url}/api/events/publish`, { method: "POST", body })).status;
    }
    expect(status).toBe(507);
    // The probe of a full disk is a small commit: fill what is left for it.
    while ((await fetch(`${server.url}/readyz`)).status === 200) {
      await fetch(`${server.url}/api/events/publish`, { method: "POST", body: '{"topic":"a"}' });
    }
    const ready = await fetch(`${server.url}/readyz`);
    expect(ready.status).toBe(507);
    expect(await ready.json()).toMatchObject({ code: "storage_full", detail: "the disk of the history is full" });
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  });

  test("is not ready once its file was removed, takes nothing more, and does not stop as if all were well", async () => {
    await using binary = await Binary.start({ args: ["--db", "a.db", "--prune-interval", "100ms"] });
    await publish(binary.url, "a");
    rmSync(join(binary.folder, "a.db"));
    while (!binary.stderr.includes("a.db was removed while it was open")) await Bun.sleep(10);
    const refused = await post(binary.url, '{"topic":"a"}');
    expect([refused.status, await refused.json()]).toMatchObject([503, { code: "unavailable" }]);
    const ready = await fetch(`${binary.url}/readyz`);
    expect([ready.status, await ready.text()]).toEqual([503, expect.stringContaining("a.db was removed")]);
    expect(await (await fetch(`${binary.url}/metrics`)).text()).toContain("\neventbus_ready 0\n");
    expect(await binary.stop()).toBe(1);
    expect(binary.stderr).toMatch(/stopping failed[\s\S]*a\.db was removed/);
  });

  test("continues when its log is no longer read", async () => {
    using folder = new TempFolder();
    await using server = await start([BINARY, "--port", "0", "--access-log", "--db", folder.file("a.db")]);
    await server.reader.cancel();
    for (let count = 1; count <= 50; count++) expect((await publish(server.url, "a")).id).toBe(count);
    server.child.kill("SIGTERM");
    expect(await server.child.exited).toBe(0);
  });
});
