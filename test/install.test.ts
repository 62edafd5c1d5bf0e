import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { TempFolder } from "./helpers/temp.ts";

const INSTALL = resolve(import.meta.dir, "../scripts/install.sh");
/** A program that prints what ours prints. */
const PROGRAM = "#!/bin/sh\necho 1.2.3\n";

describe("install.sh", () => {
  const folder = new TempFolder();
  let sum = createHash("sha256").update(PROGRAM).digest("hex");
  let release: Bun.Server<undefined>;

  beforeAll(() => {
    release = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: ({ url }) => {
        const name = new URL(url).pathname.slice(1);
        if (name === "SHA256SUMS") {
          const names = ["linux-x64-baseline", "linux-x64", "linux-arm64", "linux-x64-musl", "darwin-arm64"];
          return new Response(names.map((one) => `${sum}  eventbus-${one}\n`).join(""));
        }
        return new Response(PROGRAM);
      },
    });
  });
  afterAll(async () => {
    await release.stop(true);
    folder[Symbol.dispose]();
  });

  async function install(target: string) {
    const env = { PATH: process.env["PATH"], EVENTBUS_RELEASE_URL: release.url.origin };
    const child = Bun.spawn(["sh", INSTALL, target], { env, stdout: "pipe", stderr: "pipe" });
    const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
    return { exitCode: await child.exited, stdout, stderr };
  }

  test("installs the program of this machine, and says how to find it", async () => {
    const target = folder.file("bin");
    const { exitCode, stdout } = await install(target);
    expect({ exitCode, stdout }).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining("eventbus 1.2.3 is in"),
    });
    expect(stdout).toContain("add it to PATH");
    expect(readFileSync(join(target, "eventbus"), "utf8")).toBe(PROGRAM);
  });

  test("installs nothing that does not match the checksums", async () => {
    sum = "0".repeat(64);
    const target = folder.file("other");
    const { exitCode, stderr } = await install(target);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^install\.sh: eventbus-\S+ is not what SHA256SUMS says: nothing was installed\n$/);
    expect(existsSync(join(target, "eventbus"))).toBe(false);
  });
});
