import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Binary, type Finished, runBinary } from "../helpers/binary.ts";
import { publish, publishMany } from "../helpers/http.ts";
import { testWith } from "../helpers/requires.ts";
import { runOnTerminal, runShell } from "../helpers/shell.ts";

/** More than the server returns in one answer. */
const EVENTS = 12_500;
const TERMINAL_MS = 20_000;

let server: Binary;

beforeAll(async () => {
  server = await Binary.start({ args: ["--max-history", "off"] });
  for (let first = 1; first <= EVENTS; first += 2500) {
    await publishMany(
      server.url,
      Array.from({ length: 2500 }, (_, index) => ({ topic: "n", data: first + index })),
    );
  }
  await publish(server.url, "orders.new", { total: 1 }, "shop");
  await publish(server.url, "orders.paid", "日本\u001b[31m", "");
});

afterAll(() => server[Symbol.asyncDispose]());

async function run(...args: string[]): Promise<Finished> {
  const finished = await runBinary(args, { env: { EVENTBUS_URL: server.url } });
  expect({ exitCode: finished.exitCode, stderr: finished.stderr }).toEqual({ exitCode: 0, stderr: "" });
  return finished;
}

async function ids(...args: string[]): Promise<number[]> {
  const { stdout } = await run("history", ...args);
  return stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line).id);
}

describe("history", () => {
  test("prints the newest 50, newest first", async () => {
    expect(await ids()).toEqual(Array.from({ length: 50 }, (_, index) => EVENTS + 2 - index));
  });

  test("warns of a pattern that no topic can match, and says how to write it", async () => {
    const { exitCode, stdout, stderr } = await runBinary(["history", "orders.new,orders.paid"], {
      env: { EVENTBUS_URL: server.url },
    });
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: "" });
    expect(stderr).toStartWith("eventbus: no topic can match orders.new,orders.paid: write {a,b} for either");
  });

  test("prints any number of events, each once", async () => {
    expect(await ids("--last", "11000", "--topic", "n")).toEqual(
      Array.from({ length: 11_000 }, (_, index) => EVENTS - index),
    );
    expect(await ids("--last", "1000000")).toHaveLength(EVENTS + 2);
  });

  test("prints events as they are", async () => {
    const { stdout } = await run("history", "--last", "1");
    expect(stdout).toMatch(
      /^\{"id":12502,"topic":"orders\.paid","data":"日本\\u001b\[31m","source":"","created_at":".*"\}\n$/,
    );
  });

  test("filters by topic, source and time", async () => {
    expect(await ids("--topic", "orders.n*", "--topic", "orders.p*")).toEqual([EVENTS + 2, EVENTS + 1]);
    expect(await ids("--source", "shop")).toEqual([EVENTS + 1]);
    expect(await ids("--from", "2100-01-01T00:00:00Z")).toEqual([]);
    expect(await ids("--to", "2000-01-01T00:00:00Z")).toEqual([]);
    expect(await ids("--from", "2000-01-01T00:00:00Z", "--to", "2100-01-01T00:00:00Z", "--last", "2")).toHaveLength(2);
  });

  test("--output table has columns, and no control characters from events", async () => {
    const { stdout } = await run("history", "--topic", "orders.*", "--output", "table");
    const time = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g;
    expect(stdout.replaceAll(time, "(the time)")).toBe(
      [
        "ID     CREATED_AT                TOPIC        SOURCE  DATA",
        '12502  (the time)  orders.paid          "日本\\u001b[31m"',
        '12501  (the time)  orders.new   shop    {"total":1}',
        "",
      ].join("\n"),
    );
  });

  test("--output table has one header, however many the events", async () => {
    const { stdout } = await run("history", "--last", "2500", "--output", "table");
    const lines = stdout.trimEnd().split("\n");
    expect(lines).toHaveLength(2501);
    expect(lines.filter((line) => line.startsWith("ID"))).toHaveLength(1);
  });

  for (const [flag, value, words] of [
    ["--last", "0", "whole number of at least 1"],
    ["--from", "yesterday", "from"],
    ["--topic", "[", "must be closed by a ]"],
    ["--output", "xml", "Allowed choices are json, table"],
  ] as const) {
    test(`ends with 2 for ${flag} ${value}`, async () => {
      const { exitCode, stdout, stderr } = await runBinary(["history", flag, value, "--url", server.url]);
      expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
      expect(stderr).toContain(words);
    });
  }

  testWith(
    ["script"],
    "is a table on a terminal, and no line is longer than that",
    async () => {
      await publish(server.url, "wide", "語".repeat(200));
      const { output } = await runOnTerminal('"$EVENTBUS" history --last 1', { EVENTBUS_URL: server.url });
      const [head = "", row = ""] = output.split("\n");
      expect(head).toStartWith("\u001b[90mID ");
      expect(row).toEndWith("…");
      expect(Bun.stringWidth(row)).toBeWithin(98, 101);
    },
    TERMINAL_MS,
  );
});

test("a full disk ends a command with 1, and the reason", async () => {
  const { output } = await runShell('"$EVENTBUS" history >/dev/full; echo "ended with $?"', {
    EVENTBUS_URL: server.url,
  });
  expect(output).toBe("eventbus: standard output cannot be written: ENOSPC\nended with 1\n");
});

describe("topics", () => {
  test("are printed as JSON, a line each", async () => {
    const { stdout } = await run("topics", "orders.*", "n");
    const topics = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(topics).toMatchObject([
      { topic: "n", count: EVENTS, last_id: EVENTS },
      { topic: "orders.new", count: 1 },
      { topic: "orders.paid", count: 1 },
    ]);
  });

  test("are printed as a table", async () => {
    const { stdout } = await run("topics", "orders.new", "--output", "table");
    expect(stdout).toMatch(/^TOPIC {7}COUNT {2}LAST_ID {2}LAST_AT\norders\.new {2}1 {6}12501 {4}\S+Z\n$/);
  });
});

describe("many topics", () => {
  const TOPICS = 2500;
  const names = Array.from({ length: TOPICS }, (_, index) => `many.${String(index).padStart(4, "0")}`);
  beforeAll(async () => {
    await publishMany(
      server.url,
      names.map((topic) => ({ topic })),
    );
  });

  test.each([
    [[], TOPICS],
    [["--limit", "1001"], 1001],
    [["--limit", "1"], 1],
  ])("are printed page by page, with %j", async (flags, count) => {
    const { stdout } = await run("topics", "many.*", ...flags);
    const printed = stdout.trim().split("\n");
    expect(printed.map((line) => JSON.parse(line).topic)).toEqual(names.slice(0, count));
  });

  test("are one table", async () => {
    const { stdout } = await run("topics", "many.*", "--output", "table");
    const lines = stdout.trim().split("\n");
    expect(lines).toHaveLength(TOPICS + 1);
    expect(lines.filter((line) => line.startsWith("TOPIC"))).toHaveLength(1);
  });

  test("end when their reader has seen enough", async () => {
    const { output } = await runShell('"$EVENTBUS" topics "many.*" | head -1', { EVENTBUS_URL: server.url });
    expect(JSON.parse(output)).toMatchObject({ topic: "many.0000", count: 1 });
  });
});

test("prune applies the rules now, and says how many events went", async () => {
  await using small = await Binary.start({ args: ["--max-history", "2", "--prune-interval", "1h"] });
  for (const topic of ["a", "b", "c"]) await publish(small.url, topic);
  const { exitCode, stdout } = await runBinary(["prune", "--url", small.url]);
  expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '{"pruned":1}\n' });
});

test("a token is asked for, and one that does not suffice is named", async () => {
  await using closed = await Binary.start();
  const { stdout } = await runBinary(["token", "create", "ops", "--admin", "--publish", "*", "--url", closed.url]);
  const asked = await runBinary(["history", "--url", closed.url]);
  expect(asked.exitCode).toBe(1);
  expect(asked.stderr).toContain("pass one with --token or EVENTBUS_TOKEN");
  const wrong = await runBinary(["topics", "--url", closed.url, "--token", "ebt_wrong"]);
  expect(wrong.stderr).toContain("check --token or EVENTBUS_TOKEN");
  const backup = await runBinary(["backup", "copy.db", "--url", closed.url], { folder: closed.folder });
  expect(backup.stderr).toBe(asked.stderr);
  const env = { EVENTBUS_URL: closed.url, EVENTBUS_TOKEN: stdout.trim() };
  expect((await runBinary(["publish", "a", "1"], { env })).exitCode).toBe(0);
  expect((await runBinary(["prune"], { env })).stdout).toBe('{"pruned":0}\n');
});
