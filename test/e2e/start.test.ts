import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Binary, runBinary } from "../helpers/binary.ts";
import { history, publish } from "../helpers/http.ts";
import { TempFolder } from "../helpers/temp.ts";

describe("the binary says at its start", () => {
  test("where it listens and where the events are", async () => {
    await using binary = await Binary.start();
    const { url, folder } = binary;
    for (const address of [url, `${url}/api/events/publish`, `${url}/swagger`])
      expect(binary.stderr).toContain(address);
    expect(binary.stderr).toContain(url.replace("http", "ws"));
    expect(binary.stderr).toContain(`${join(folder, "eventbus.db")} (0 events)`);
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  });

  test("the file as it is named, white space included", async () => {
    using folder = new TempFolder();
    mkdirSync(folder.file("my data"));
    await using binary = await Binary.start({ args: ["--db", "my data/é.db"], folder: folder.path });
    expect(binary.stderr).toContain(folder.file("my data/é.db"));
  });

  test("that nothing is kept in memory, and leaves no file", async () => {
    await using binary = await Binary.start({ args: ["--db", ":memory:"] });
    await publish(binary.url, "a");
    expect(binary.stderr).toContain("memory only: nothing is stored on disk");
    expect(readdirSync(binary.folder)).toEqual([]);
  });

  test("the same as one line of JSON when that is asked for", async () => {
    await using binary = await Binary.start({ args: ["--log-format", "json"] });
    const [line = ""] = binary.stderr.split("\n");
    expect(JSON.parse(line)).toMatchObject({
      url: binary.url,
      database: join(binary.folder, "eventbus.db"),
      events: 0,
    });
    await binary.stop();
    for (const one of binary.stderr.trim().split("\n")) expect(() => JSON.parse(one)).not.toThrow();
  });

  test("how many events it has found", async () => {
    using folder = new TempFolder();
    await using first = await Binary.start({ folder: folder.path });
    const event = await publish(first.url, "kept");
    expect(await first.stop()).toBe(0);
    await using second = await Binary.start({ folder: folder.path });
    expect(second.stderr).toContain("(1 event)");
    expect(await history(second.url)).toEqual([event]);
  });

  test("an address of IPv6 in brackets", async () => {
    await using binary = await Binary.start({ args: ["--host", "::1"] });
    expect(binary.url).toMatch(/^http:\/\/\[::1\]:\d+$/);
    expect((await fetch(`${binary.url}/healthz`)).status).toBe(200);
  });
});

describe("the binary does not start, and says why, when", () => {
  test("its port is in use", async () => {
    await using first = await Binary.start();
    using folder = new TempFolder();
    const second = await runBinary(["--port", String(first.port)], { folder: folder.path });
    expect(second.exitCode).toBe(1);
    expect(readdirSync(folder.path)).toEqual([]);
    expect(second.stderr).toBe(
      `eventbus: port ${first.port} of 127.0.0.1 is in use: stop the program that listens there, or choose another port with --port\n`,
    );
  });

  test("its database is in use", async () => {
    await using first = await Binary.start();
    const second = await runBinary(["--port", "0"], { folder: first.folder });
    expect(second.exitCode).toBe(1);
    expect(second.stderr).toMatch(
      /^eventbus: .*eventbus\.db is in use by another process: stop it, or use another file\n$/,
    );
    expect((await publish(first.url, "a")).id).toBe(1);
  });

  test("its database is a file of something else", async () => {
    using folder = new TempFolder();
    const file = folder.file("notes.txt");
    writeFileSync(file, "these are my notes, not a database\n".repeat(10));
    const { exitCode, stderr } = await runBinary(["--port", "0", "--db", file]);
    expect({ exitCode, stderr }).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining("not a SQLite database"),
    });
    expect(readFileSync(file, "utf8")).toStartWith("these are my notes");
    expect(readdirSync(folder.path)).toEqual(["notes.txt"]);
  });

  test("its database is of another program", async () => {
    using folder = new TempFolder();
    const file = folder.file("other.db");
    using other = new Database(file);
    other.run("create table customer (name text)");
    const before = readFileSync(file);
    const { exitCode, stderr } = await runBinary(["--port", "0", "--db", file]);
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("of another program") });
    expect(readFileSync(file)).toEqual(before);
  });

  test("its database has a newer schema", async () => {
    await using first = await Binary.start();
    await publish(first.url, "a");
    await first.stop();
    const file = join(first.folder, "eventbus.db");
    using database = new Database(file);
    database.run("pragma user_version = 999");
    database.close();
    const { exitCode, stderr } = await runBinary(["--port", "0", "--db", file]);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/schema version 999, newer than/);
  });

  test("the folder of its database is not there", async () => {
    const { exitCode, stderr } = await runBinary(["--port", "0", "--db", "no/such/folder/eventbus.db"]);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(
      /^eventbus: no\/such\/folder\/eventbus\.db cannot be created: there is no folder no\/such\/folder\n$/,
    );
  });

  test("other machines could reach it and nothing restricts access", async () => {
    using folder = new TempFolder();
    for (const host of ["0.0.0.0", "::", "192.0.2.1"]) {
      const { exitCode, stderr } = await runBinary(["--port", "0", "--host", host], { folder: folder.path });
      expect(readdirSync(folder.path)).toEqual([]);
      expect({ exitCode, stderr }).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("--allow-anonymous") });
    }
  });

  test("the same for a history in memory, which can have no token", async () => {
    const args = ["--port", "0", "--host", "0.0.0.0", "--db", ":memory:"];
    const { exitCode, stderr } = await runBinary(args);
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining("who may use the bus: give a key")]);
  });

  test("its address is not one of this machine, or is not an address", async () => {
    for (const [host, words] of [
      ["192.0.2.1", "cannot listen on 192.0.2.1:0: it is not an address of this machine; name one with --host"],
      ["nowhere.invalid", "cannot listen on nowhere.invalid:0: unknown host"],
    ] as const) {
      const { exitCode, stderr } = await runBinary(["--port", "0", "--host", host, "--allow-anonymous"]);
      expect({ exitCode, stderr }).toMatchObject({ exitCode: 1, stderr: expect.stringContaining(words) });
    }
  });
});

const wrongUsage = [
  [["--prot", "1"], {}, "Did you mean --port?"],
  [["--max-histroy", "1"], {}, "Did you mean --max-history?"],
  [["--port", "99999"], {}, "--port must be a whole number from 0 to 65535"],
  [["--port", "http"], {}, "--port must be a whole number from 0 to 65535"],
  [["--port"], {}, "argument missing"],
  [["--port", "1", "--port", "2"], {}, "--port is given more than once"],
  [["--db", ""], {}, "--db must not be empty"],
  [["--max-age", "5"], {}, "--max-age must be a duration such as"],
  [["--max-bytes", "10 apples"], {}, "--max-bytes must be a size such as"],
  [["--max-history", "0"], {}, "--max-history must be a whole number from 1"],
  [["--durability", "disk"], {}, "--durability must be one of fsync, os"],
  [["--log-level", "loud"], {}, "--log-level must be one of debug, info, warn, error, silent"],
  [["srve"], {}, "did you mean serve?"],
  [["nonsense"], {}, "there is no command nonsense"],
  [["serve", "now"], {}, "too many arguments"],
  [[], { EVENTBUS_PORT: "abc" }, "EVENTBUS_PORT must be a whole number from 0 to 65535"],
  [[], { EVENTBUS_PROT: "1" }, "EVENTBUS_PROT is not known; did you mean EVENTBUS_PORT?"],
  [[], { EVENTBUS_NONSENSE_ENTIRELY: "1" }, "EVENTBUS_NONSENSE_ENTIRELY is not known"],
  [[], { EVENTBUS_ALLOW_ANONYMOUS: "maybe" }, "EVENTBUS_ALLOW_ANONYMOUS must be true or false"],
] as const;

describe("the binary calls it wrong usage to say", () => {
  for (const [args, env, words] of wrongUsage) {
    test([...Object.entries(env).map((pair) => pair.join("=")), "eventbus", ...args].join(" "), async () => {
      const { exitCode, stdout, stderr } = await runBinary(args, { env });
      expect(stderr).toContain(words);
      expect(stderr).toStartWith("eventbus: ");
      expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    });
  }
});

describe("the binary", () => {
  test("starts for everyone with --allow-anonymous", async () => {
    await using binary = await Binary.start({ args: ["--host", "0.0.0.0", "--allow-anonymous"] });
    expect((await fetch(`http://127.0.0.1:${binary.port}/readyz`)).status).toBe(200);
  });

  test("takes its settings from the environment, and prefers flags", async () => {
    const env = { EVENTBUS_DB: "from-env.db", EVENTBUS_MAX_HISTORY: "7", EVENTBUS_MAX_AGE: "" };
    await using binary = await Binary.start({ env, args: ["--max-history", "9"] });
    const { retention } = (await (await fetch(`${binary.url}/api/stats`)).json()) as { retention: unknown };
    expect(retention).toMatchObject({ max_history: 9, max_age_ms: null });
    expect(existsSync(join(binary.folder, "from-env.db"))).toBe(true);
  });

  for (const args of [["--help"], ["help"], ["serve", "--help"], ["help", "serve"]]) {
    test(`explains itself: eventbus ${args.join(" ")}`, async () => {
      const { exitCode, stdout, stderr } = await runBinary(args);
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
      expect(stdout).toStartWith("Usage: eventbus");
      const words = args.includes("serve") ? ["--max-history", "EVENTBUS_MAX_HISTORY", "default: 100000"] : ["serve"];
      for (const word of words) expect(stdout).toContain(word);
    });
  }

  test("prints its version", async () => {
    const { version } = JSON.parse(readFileSync(join(import.meta.dir, "../../package.json"), "utf8"));
    expect(await runBinary(["--version"])).toEqual({ exitCode: 0, stdout: `${version}\n`, stderr: "" });
  });
});
