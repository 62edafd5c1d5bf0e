import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { chmodSync, existsSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { checkFile } from "../../src/store/check/check.ts";
import { Binary, runBinary } from "../helpers/binary.ts";
import { history, publish, publishMany } from "../helpers/http.ts";
import { TempFolder } from "../helpers/temp.ts";

const BINARY = process.env["EVENTBUS_TEST_BINARY"] ?? resolve(import.meta.dir, "../../dist/eventbus");
const KILLS = 12;
/** Enough for a kill to come in the middle. */
const EVENTS = 60_000;
const BATCH = Array.from({ length: 10_000 }, (_, n) => ({ topic: `t.${n % 100}`, data: { n, text: "x".repeat(60) } }));

/** Runs a command and kills it after this long, unless it has ended by then. */
async function runAndKill(folder: string, args: readonly string[], afterMs: number): Promise<void> {
  const child = Bun.spawn([BINARY, ...args], { cwd: folder, stdin: "ignore", stdout: "ignore", stderr: "ignore" });
  const timer = setTimeout(() => child.kill("SIGKILL"), afterMs);
  await child.exited;
  clearTimeout(timer);
}

async function soundEvents(path: string): Promise<number> {
  const { events } = await checkFile(path, { onDamage: (detail) => expect(detail).toBe("") });
  return events;
}

describe("eventbus backup", () => {
  test("copies the history of a running server, and that copy serves", async () => {
    await using server = await Binary.start();
    const event = await publish(server.url, "a", { total: 1 });
    const made = await runBinary(["backup", "copy.db", "--url", server.url], { folder: server.folder });
    expect(made).toEqual({ exitCode: 0, stdout: "copy.db is a sound copy: 1 event, ids 1 to 1\n", stderr: "" });
    await using other = await Binary.start({ folder: server.folder, args: ["--db", "copy.db"] });
    expect(await history(other.url)).toEqual([event]);
    expect((await publish(other.url, "a")).id).toBe(2);
  });

  test("opens the file itself when no server uses it, and changes nothing of it", async () => {
    await using server = await Binary.start();
    await publish(server.url, "a");
    await server.kill();
    const file = join(server.folder, "eventbus.db");
    const before = [readFileSync(file), readFileSync(`${file}-wal`)];
    const made = await runBinary(["backup", "copy.db", "--db", file], { folder: server.folder });
    expect(made).toMatchObject({ exitCode: 0, stderr: "" });
    expect([readFileSync(file), readFileSync(`${file}-wal`)]).toEqual(before);
    expect(await soundEvents(join(server.folder, "copy.db"))).toBe(1);
  });

  test("does not take - for a file", async () => {
    using folder = new TempFolder();
    const refused = await runBinary(["backup", "-"], { folder: folder.path });
    expect(refused).toEqual({
      exitCode: 2,
      stdout: "",
      stderr: expect.stringContaining("verified in a file: name one"),
    });
    expect(readdirSync(folder.path)).toEqual([]);
  });

  test("leaves an existing file alone, unless --force is given", async () => {
    await using server = await Binary.start();
    const copy = join(server.folder, "copy.db");
    writeFileSync(copy, "precious");
    const refused = await runBinary(["backup", copy, "--url", server.url]);
    expect(refused).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("replace it with --force") });
    expect(readFileSync(copy, "utf8")).toBe("precious");
    expect(await runBinary(["backup", copy, "--url", server.url, "--force"])).toMatchObject({ exitCode: 0 });
    expect(await soundEvents(copy)).toBe(0);
  });

  test("never replaces a history by its copy, nor what is not a regular file, even with --force", async () => {
    await using server = await Binary.start();
    const event = await publish(server.url, "a");
    const copyTo = async (file: string, ...args: string[]) => {
      const all = ["backup", file, "--url", server.url, "--force", ...args];
      const { exitCode, stderr } = await runBinary(all, { folder: server.folder });
      return [exitCode === 0, stderr];
    };
    symlinkSync("eventbus.db", join(server.folder, "link.db"));
    for (const file of ["eventbus.db", "./eventbus.db", "link.db"]) {
      expect(await copyTo(file)).toEqual([false, expect.stringContaining(`${file} is the history itself`)]);
      expect(await copyTo(file, "--db", "other.db")).toEqual([false, expect.stringContaining("history of a server")]);
    }
    expect(Bun.spawnSync(["mkfifo", join(server.folder, "pipe")]).exitCode).toBe(0);
    expect(await copyTo("pipe")).toEqual([false, expect.stringContaining("pipe is not a regular file")]);
    expect(await history(server.url)).toEqual([event]);
    expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
    await server.kill();
    const killed = await runBinary(["backup", "eventbus.db", "--force"], { folder: server.folder });
    expect([killed.exitCode, killed.stderr]).toEqual([1, expect.stringContaining("is the history itself")]);
    await using again = await Binary.start({ folder: server.folder });
    expect(await history(again.url)).toEqual([event]);
  });

  test("says why there is no copy, and leaves nothing behind", async () => {
    using folder = new TempFolder();
    for (const [args, words] of [
      [["--db", "missing.db", "--url", "http://127.0.0.1:1"], /no server responds at .*; and .*missing\.db is missing/],
      [["--db", "missing.db"], /missing\.db is missing or empty/],
      [["--url", "nonsense"], /--url must be an address/],
    ] as const) {
      const { exitCode, stderr } = await runBinary(["backup", "copy.db", ...args], { folder: folder.path });
      expect(stderr).toMatch(words);
      expect(exitCode).toBeGreaterThan(0);
    }
    expect(readdirSync(folder.path)).toEqual([]);
  });

  test("says when the folder of the copy does not exist", async () => {
    await using server = await Binary.start();
    const made = await runBinary(["backup", "none/copy.db", "--url", server.url], { folder: server.folder });
    expect(made.exitCode).toBe(1);
    expect(made.stderr).toContain("eventbus: none/copy.db cannot be written: there is no folder ");
  });

  test("says that the server speaks HTTP when it is asked by HTTPS", async () => {
    await using server = await Binary.start();
    const url = server.url.replace("http:", "https:");
    const { exitCode, stderr } = await runBinary(["backup", "copy.db", "--url", url], { folder: server.folder });
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining(`speaks HTTP, not HTTPS: use --url ${server.url}`)]);
  });

  test("shows bytes and per cent on a terminal", async () => {
    await using server = await Binary.start();
    await publishMany(server.url, BATCH);
    let shown = "";
    const data = (_: unknown, bytes: Uint8Array) => {
      shown += new TextDecoder().decode(bytes);
    };
    const child = Bun.spawn([BINARY, "backup", "copy.db", "--url", server.url], {
      cwd: server.folder,
      terminal: { data },
    });
    expect(await child.exited).toBe(0);
    expect(shown).toMatch(/copy\.db: [\d.]+ MB, 100 %/);
    expect(shown).toMatch(/copy\.db: checking events 100 %/);
  });

  test("removes the unfinished copy when it is interrupted", async () => {
    await using server = await Binary.start({ args: ["--max-history", "off"] });
    for (let sent = 0; sent < EVENTS; sent += BATCH.length) await publishMany(server.url, BATCH);
    const child = Bun.spawn([BINARY, "backup", "copy.db", "--url", server.url], { cwd: server.folder });
    while (!readdirSync(server.folder).some((name) => name.includes("unfinished"))) await Bun.sleep(1);
    child.kill("SIGINT");
    expect(await child.exited).toBe(130);
    expect(readdirSync(server.folder).filter((name) => name.startsWith("copy"))).toEqual([]);
  });

  test("makes no copy of a damaged history", async () => {
    await using server = await Binary.start();
    await publishMany(server.url, BATCH);
    await server.stop();
    const file = join(server.folder, "eventbus.db");
    const database = new Database(file);
    database.run("update event set data = '1' where id = 77");
    database.close();
    const { exitCode, stderr } = await runBinary(["backup", "copy.db", "--db", file], { folder: server.folder });
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining("is damaged: event 77: checksum mismatch")]);
    expect(readdirSync(server.folder).sort()).toEqual(["eventbus.db", "eventbus.db-reserve"]);
  });

  test(`killed ${KILLS} times leaves the old copy or the new one, whole`, async () => {
    await using server = await Binary.start({ args: ["--max-history", "off"] });
    const copy = join(server.folder, "copy.db");
    const args = ["backup", copy, "--url", server.url, "--force"];
    await runBinary(args);
    for (let sent = 0; sent < EVENTS; sent += BATCH.length) await publishMany(server.url, BATCH);
    const startMs = performance.now();
    await runBinary([...args.slice(0, 1), join(server.folder, "other.db"), ...args.slice(2)]);
    const wholeMs = performance.now() - startMs;
    for (let kill = 1; kill <= KILLS; kill++) {
      await runAndKill(server.folder, args, (wholeMs * kill) / KILLS);
      expect([0, EVENTS]).toContain(await soundEvents(copy));
    }
    expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
  });
});

describe("the commands that open a history file", () => {
  const nowhere = ["--url", "http://127.0.0.1:1"];
  const commands = [
    ["check"],
    ["backup", "copy.db", ...nowhere],
    ["restore", "copy.db"],
    ["token", "list", ...nowhere],
  ];
  test.each(commands)("take an empty EVENTBUS_DB as unset, and reject an empty --db: %s", async (...command) => {
    using folder = new TempFolder();
    const unset = await runBinary(command, { folder: folder.path });
    expect(await runBinary(command, { folder: folder.path, env: { EVENTBUS_DB: "" } })).toEqual(unset);
    const { exitCode, stderr } = await runBinary([...command, "--db", ""], { folder: folder.path });
    expect([exitCode, stderr]).toEqual([2, "eventbus: --db must not be empty\n"]);
    expect(readdirSync(folder.path)).toEqual([]);
  });

  test.each([
    ["restore", "copy.db"],
    ["token", "create", "ops", "--admin", ...nowhere],
  ])("reject a history in memory, which keeps nothing: %s", async (...command) => {
    const { exitCode, stdout, stderr } = await runBinary([...command, "--db", ":memory:"]);
    expect([exitCode, stdout, stderr]).toEqual([2, "", expect.stringContaining(":memory: is no file")]);
  });
});

describe("eventbus restore", () => {
  test("rejects two names for the copy", async () => {
    const { exitCode, stderr } = await runBinary(["restore", "a.db", "--from", "b.db"]);
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining("given twice")]);
  });

  test("puts the copy in the place of the history, keeps what was there, and says which ids come again", async () => {
    await using server = await Binary.start();
    await publish(server.url, "kept");
    await runBinary(["backup", "copy.db", "--url", server.url], { folder: server.folder });
    for (let id = 2; id <= 4; id++) await publish(server.url, "lost");
    await server.kill();
    chmodSync(join(server.folder, "eventbus.db"), 0o640);
    const args = ["restore", "copy.db", "--db", "eventbus.db"];
    const { exitCode, stdout, stderr } = await runBinary(args, { folder: server.folder });
    expect([exitCode, stdout]).toEqual([0, "eventbus.db is restored: 1 event, ids 1 to 1\n"]);
    expect(stderr).toContain("the ids after 1 up to 4 were assigned before, and from now on are assigned again");
    const [, aside = ""] = /is now (\S+)/.exec(stderr) ?? [];
    expect(await soundEvents(join(server.folder, aside))).toBe(4);
    const modes = ["copy.db", "eventbus.db"].map((name) => statSync(join(server.folder, name)).mode & 0o777);
    expect(modes).toEqual([0o600, 0o640]);
    await using again = await Binary.start({ folder: server.folder });
    expect(await history(again.url)).toMatchObject([{ id: 1, topic: "kept" }]);
    expect((await publish(again.url, "a")).id).toBe(2);
  });

  test("refuses while a server holds the file", async () => {
    await using server = await Binary.start();
    await publish(server.url, "a");
    await runBinary(["backup", "copy.db", "--url", server.url], { folder: server.folder });
    const { exitCode, stderr } = await runBinary(["restore", "--from", "copy.db"], { folder: server.folder });
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining("is in use by another process")]);
    expect((await publish(server.url, "a")).id).toBe(2);
  });

  test("rejects a copy that is damaged, missing or not ours", async () => {
    await using server = await Binary.start();
    await publishMany(server.url, BATCH);
    await runBinary(["backup", "copy.db", "--url", server.url], { folder: server.folder });
    await server.stop();
    const { folder } = server;
    const before = readFileSync(join(folder, "eventbus.db"));
    const copy = readFileSync(join(folder, "copy.db"));
    copy.write("TEXT", copy.lastIndexOf('"text"') + 1);
    writeFileSync(join(folder, "flipped.db"), copy);
    writeFileSync(join(folder, "notes.txt"), "no database\n".repeat(50));
    for (const from of ["flipped.db", "missing.db", "notes.txt", "eventbus.db"]) {
      const { exitCode, stderr } = await runBinary(["restore", "--from", from], { folder });
      expect([from, exitCode, stderr]).toEqual([from, 1, expect.stringContaining(from)]);
    }
    expect(readFileSync(join(folder, "eventbus.db"))).toEqual(before);
    expect(readdirSync(folder).sort()).toEqual([
      "copy.db",
      "eventbus.db",
      "eventbus.db-reserve",
      "flipped.db",
      "notes.txt",
    ]);
  });

  test("replaces a history that is beyond repair, its write-ahead log too", async () => {
    await using server = await Binary.start();
    await publish(server.url, "kept");
    await runBinary(["backup", "copy.db", "--url", server.url], { folder: server.folder });
    await publish(server.url, "lost");
    await server.kill();
    const file = join(server.folder, "eventbus.db");
    for (const path of [file, `${file}-wal`]) writeFileSync(path, readFileSync(path).fill(0xff));
    const { exitCode, stderr } = await runBinary(["restore", "--from", "copy.db"], { folder: server.folder });
    expect([exitCode, stderr]).toEqual([0, expect.stringContaining("the ids after 1 were assigned before")]);
    expect(existsSync(`${file}-wal`)).toBe(false);
    await using again = await Binary.start({ folder: server.folder });
    expect(await history(again.url)).toMatchObject([{ id: 1, topic: "kept" }]);
  });

  test(`killed ${KILLS} times leaves the old history or the new one, whole`, async () => {
    await using server = await Binary.start({ args: ["--max-history", "off"] });
    for (let sent = 0; sent < EVENTS; sent += BATCH.length) await publishMany(server.url, BATCH);
    await runBinary(["backup", "copy.db", "--url", server.url], { folder: server.folder });
    await publish(server.url, "later");
    await server.kill();
    const { folder } = server;
    const args = ["restore", "copy.db", "--db", "fresh.db"];
    const startMs = performance.now();
    await runBinary(args, { folder });
    const wholeMs = performance.now() - startMs;
    for (let kill = 1; kill <= KILLS; kill++) {
      await runAndKill(folder, ["restore", "--from", "copy.db"], (wholeMs * (kill + 1)) / KILLS);
      expect([EVENTS, EVENTS + 1]).toContain(await soundEvents(join(folder, "eventbus.db")));
    }
  });
});
