import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import type { EventMessage } from "../../src/protocol/event.ts";
import { Binary, type Finished, type RunOptions, runBinary } from "../helpers/binary.ts";
import { RunningCommand } from "../helpers/command.ts";
import { history } from "../helpers/http.ts";
import { until } from "../helpers/inbox.ts";
import { runShell } from "../helpers/shell.ts";
import { TempFolder } from "../helpers/temp.ts";

const LINES = 200_000;
/** A command that held all lines of {@link LARGE_MB} in memory would need more; one that does not needs some 100. */
const MOST_MIB = 350;
const LARGE_MB = 400;

let server: Binary;

beforeAll(async () => {
  server = await Binary.start({ args: ["--max-history", "off"] });
});

afterAll(() => server[Symbol.asyncDispose]());

function publish(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  return runBinary(["publish", ...args], { ...options, env: { EVENTBUS_URL: server.url, ...options.env } });
}

/** The event that a publish has printed. */
function printed({ exitCode, stdout, stderr }: Finished): EventMessage & { text: string } {
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  return { ...JSON.parse(stdout), text: stdout };
}

/** The data of all events of a topic, in their order. */
async function dataOf(topic: string, url = server.url): Promise<unknown[]> {
  const data: unknown[] = [];
  for (let after = 0; ; ) {
    const page = await history(url, `topic=${topic}&after=${after}&last=10000`);
    data.push(...page.map((event) => event.data));
    if (page.length < 10_000) return data;
    after = page.at(-1)?.id ?? 0;
  }
}

function numbers(count: number, first = 1): number[] {
  return Array.from({ length: count }, (_, index) => first + index);
}

function linesOf(values: readonly unknown[]): string {
  return values.map((value) => `${JSON.stringify(value)}\n`).join("");
}

describe("publish prints the event with its data,", () => {
  test("JSON as it was given", async () => {
    const event = printed(await publish(["one.json", '{"total": 1.10}', "--source", "shop"]));
    expect(event).toMatchObject({ topic: "one.json", source: "shop" });
    expect(event.text).toContain('"data":{"total": 1.10},"source":"shop"');
    expect(await dataOf("one.json")).toEqual([{ total: 1.1 }]);
  });

  test("null when it is omitted", async () => {
    expect(printed(await publish(["one.null"])).data).toBe(null);
  });

  test("standard input", async () => {
    expect(printed(await publish(["one.stdin", "-"], { stdin: '\n{"a":\n[1]}\n' })).data).toEqual({ a: [1] });
  });

  test("what is piped in when it is omitted, and null when nothing is", async () => {
    expect(printed(await publish(["one.piped"], { stdin: '{"a":1}\n' })).data).toEqual({ a: 1 });
    expect(printed(await publish(["one.piped", "--text"], { stdin: "two\nlines\n" })).data).toBe("two\nlines");
    expect(printed(await publish(["one.piped"], { stdin: "" })).data).toBe(null);
  });

  test("a text of standard input that begins with a byte order mark", async () => {
    expect(printed(await publish(["one.bom", "-", "--text"], { stdin: "\ufeffhello" })).data).toBe("\ufeffhello");
  });

  test("a text", async () => {
    expect(printed(await publish(["one.text", 'say "é"', "--text"])).data).toBe('say "é"');
  });

  test("a text of standard input, without its last line feed", async () => {
    expect(printed(await publish(["one.text", "-", "--text"], { stdin: "two\nlines\n" })).data).toBe("two\nlines");
  });

  test("the same event again, for the same key", async () => {
    const first = printed(await publish(["one.key", "1", "--key", "k"]));
    expect(printed(await publish(["one.key", "1", "--key", "k"])).id).toBe(first.id);
  });
});

describe("publish ends with 2, and publishes nothing, for", () => {
  const cases: readonly (readonly [situation: string, args: readonly string[], words: string])[] = [
    ["no topic", [], "a topic is missing"],
    ["data that is not JSON", ["bad.a", "{total:1}"], "DATA is not JSON: to send text, add --text"],
    ["a topic that is a pattern", ["bad.*", "1"], "topic"],
    ["an empty topic", ["", "1"], "topic"],
    ["a third word", ["bad.a", "1", "2"], "too many arguments"],
    ["a misspelt flag", ["bad.a", "--sorce", "x"], "Did you mean --source?"],
    ["an invalid address", ["bad.a", "--url", "here"], "is not a URL"],
    ["a key with a space", ["bad.a", "--key", "a b"], "visible ASCII"],
    ["--skip without --ndjson", ["bad.a", "--skip", "1"], "--skip goes with --ndjson only"],
    ["--file without --ndjson", ["bad.a", "--file", "x"], "--file goes with --ndjson only"],
    ["--skip with a negative number", ["--ndjson", "--skip", "-1"], "whole number"],
    ["--text with --ndjson", ["--ndjson", "--text"], "mutually exclusive"],
    ["--source of envelopes", ["--ndjson", "--source", "s"], "--source needs a TOPIC"],
    ["data with --ndjson", ["bad.a", "1", "--ndjson"], "lines come from standard input, or from --file"],
  ];
  for (const [situation, args, words] of cases) {
    test(situation, async () => {
      const { exitCode, stdout, stderr } = await publish(args, { stdin: "1\n" });
      expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
      expect(stderr).toStartWith("eventbus: ");
      expect(stderr).toContain(words);
      expect(await history(server.url, "topic=bad.*")).toEqual([]);
    });
  }
});

describe("publish ends with 2, and publishes nothing, for bytes that are no UTF-8", () => {
  const bytes = Buffer.from('"caf\xe9"', "latin1");
  test.each([
    ["as JSON", ["bytes.a"]],
    ["as text", ["bytes.a", "-", "--text"]],
  ])("on standard input %s", async (_, args) => {
    const { exitCode, stdout, stderr } = await publish(args, { stdin: bytes });
    expect([exitCode, stdout, stderr]).toEqual([2, "", expect.stringContaining("standard input is not UTF-8")]);
  });

  test.each([
    ["DATA", "bytes.a $'\"caf\\xe9\"'"],
    ["TOPIC", "$'bytes.caf\\xe9' 1"],
    ["--source", "bytes.a 1 --source $'caf\\xe9'"],
  ])("in %s", async (_, words) => {
    const { exitCode, output } = await runShell(`"$EVENTBUS" publish ${words}`, { EVENTBUS_URL: server.url });
    expect([exitCode, output]).toEqual([2, "eventbus: an argument is not UTF-8: convert it first\n"]);
  });

  test("but not for the character that replaces such bytes", async () => {
    expect(printed(await publish(["replaced.\u{fffd}", '"\u{fffd}"'])).data).toBe("\u{fffd}");
  });
});

describe("a server is asked", () => {
  test("over HTTPS though it speaks only HTTP, and the error gives its HTTP address", async () => {
    const url = server.url.replace("http:", "https:");
    const { exitCode, stderr } = await publish(["a.b", "1", "--url", url]);
    expect([exitCode, stderr]).toEqual([
      1,
      `eventbus: the server at ${url} speaks HTTP, not HTTPS: use --url ${server.url}\n`,
    ]);
  });

  test.each(["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])(
    "on loopback without the proxy of %s",
    async (name) => {
      const env = { [name]: "http://127.0.0.1:1" };
      expect(printed(await publish(["proxy.a", "1"], { env })).data).toBe(1);
    },
  );

  test("elsewhere through the proxy, which is named when it fails", async () => {
    const env = { HTTP_PROXY: "http://user:secret@127.0.0.1:1", EVENTBUS_URL: "http://bus.example" };
    const { exitCode, stderr } = await publish(["a.b", "1"], { env });
    expect([exitCode, stderr]).toEqual([
      1,
      "eventbus: connection refused by the proxy http://127.0.0.1:1: it is set by HTTP_PROXY; " +
        "to reach the server directly, add bus.example to NO_PROXY\n",
    ]);
    const socks = await publish(["a.b", "1"], { env: { ...env, HTTP_PROXY: "socks5://127.0.0.1:1" } });
    expect(socks.stderr).toStartWith(
      "eventbus: the proxy socks5://127.0.0.1:1 is none for HTTP: it is set by HTTP_PROXY;",
    );
  });
});

test("an unknown member of a line is named with its line", async () => {
  const { exitCode, stderr } = await publish(["--ndjson"], { stdin: '{"topic":"a.b"}\n{"topic":"a.b","dta":1}\n' });
  expect([exitCode, stderr]).toEqual([
    1,
    expect.stringContaining('line 2: the member "dta" is not one of topic, data'),
  ]);
});

test("a server that is not there ends a publish with 1, and how to fix it", async () => {
  for (const args of [["a.b"], ["a.b", "--ndjson"]]) {
    const { exitCode, stderr } = await publish(args, { stdin: "1\n", env: { EVENTBUS_URL: "http://127.0.0.1:1" } });
    expect(exitCode).toBe(1);
    expect(stderr).toBe(
      "eventbus: connection refused at http://127.0.0.1:1: is the server running? " +
        "start one with `eventbus serve`, or name it with --url\n",
    );
  }
});

test("--wait publishes once the server is up", async () => {
  await using gone = await Binary.start();
  await gone.kill();
  await using command = new RunningCommand(["publish", "late", "1", "--wait", "--url", gone.url]);
  await using back = await Binary.start({ port: gone.port });
  expect(await command.exited).toBe(0);
  expect(await dataOf("late", back.url)).toEqual([1]);
});

describe("publish --ndjson", () => {
  test("takes events from standard input", async () => {
    const stdin = '{"topic":"lines.a","data":1.10,"source":"s"}\r\n\n{"topic":"lines.a"}';
    const { exitCode, stdout, stderr } = await publish(["--ndjson"], { stdin });
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '{"count":2,"lines":3}\n' });
    expect(stderr).toMatch(/^eventbus: 2 events published, \d+\/s, 0\.0 MB\n$/);
    expect(await dataOf("lines.a")).toEqual([1.1, null]);
  });

  test("takes the data of one topic", async () => {
    const { exitCode } = await publish(["lines.b", "-", "--ndjson", "--source", "s"], { stdin: "1\n[2]\n" });
    expect(exitCode).toBe(0);
    expect(await history(server.url, "topic=lines.b&source=s")).toMatchObject([{ data: [2] }, { data: 1 }]);
  });

  test("sends no more lines at once than the server's --rate-limit allows", async () => {
    await using limited = await Binary.start({ args: ["--rate-limit", "3"] });
    const flags = ["slow", "--ndjson", "--url", limited.url];
    const { exitCode, stdout } = await publish(flags, { stdin: "1\n2\n\n3\n4\n5\n" });
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '{"count":5,"lines":6}\n' });
    expect(await dataOf("slow", limited.url)).toEqual(numbers(5));
  });

  test("accepts empty input", async () => {
    expect(await publish(["--ndjson"])).toMatchObject({ exitCode: 0, stdout: '{"count":0,"lines":0}\n' });
  });

  test("publishes what has come while more is to come", async () => {
    await using command = new RunningCommand(["publish", "lines.tail", "--ndjson", "--url", server.url]);
    for (const number of numbers(2)) {
      await command.write(`${number}\n`);
      await until(async () => (await dataOf("lines.tail")).length === number);
    }
    await command.endInput();
    expect(await command.exited).toBe(0);
  });

  test("interrupted, says what is published and ends with 130", async () => {
    await using command = new RunningCommand(["publish", "lines.int", "--ndjson", "--key", "k", "--url", server.url]);
    await command.write("1\n2\n");
    await until(async () => (await dataOf("lines.int")).length === 2);
    // A batch is sent once the one before it is acknowledged.
    await command.write("3\n");
    await until(async () => (await dataOf("lines.int")).length === 3);
    command.signal("SIGINT");
    expect(await command.exited).toBe(130);
    expect(command.stderr).toMatch(/lines 1 to ([23]) are published; continue with --skip \1 --key k/);
  });
});

describe("publish --ndjson says which line is bad, and continues after it:", () => {
  const invalidUtf8 = Buffer.concat([Buffer.from('"'), Buffer.from([0xff]), Buffer.from('"')]);
  const cases: readonly (readonly [situation: string, line: string | Buffer, words: string])[] = [
    ["not JSON", "{oops", "it is not JSON"],
    ["two values", "1,2", "it is not JSON"],
    ["invalid UTF-8", invalidUtf8, "it is not UTF-8"],
    ["a value over the server's limit", `"${"x".repeat(2 ** 20)}"`, "1048576 bytes"],
    ["17 MiB", `"${"x".repeat(17 * 2 ** 20)}"`, "it is longer than 16777216 bytes"],
  ];
  for (const [index, [situation, line, words]] of cases.entries()) {
    test(situation, async () => {
      const topic = `bad-line.${index}`;
      const stdin = Buffer.concat([Buffer.from("1\n2\n"), Buffer.from(line), Buffer.from("\n4\n")]);
      const { exitCode, stdout, stderr } = await publish([topic, "--ndjson", "--key", topic], { stdin });
      expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
      expect(stderr).toContain("eventbus: line 3: ");
      expect(stderr).toContain(words);
      const skip = Number(/--skip (\d+) --key/.exec(stderr)?.[1]);
      expect(await dataOf(topic)).toEqual(numbers(skip));
      const again = await publish([topic, "--ndjson", "--skip", `${skip}`, "--key", topic], { stdin: "1\n2\n3\n4\n" });
      expect(again.exitCode).toBe(0);
      expect(await dataOf(topic)).toEqual([1, 2, 3, 4]);
    });
  }

  test("an envelope that the server rejects", async () => {
    const stdin = '{"topic":"bad-line.e"}\n\n{"topic":"bad line"}\n';
    const { exitCode, stderr } = await publish(["--ndjson"], { stdin });
    expect(exitCode).toBe(1);
    expect(stderr).toContain("eventbus: line 3: ");
    expect(stderr).toContain("no line is published");
  });

  test("a line that follows thousands", async () => {
    const stdin = `${linesOf(numbers(25_000))}oops\n`;
    const { stderr } = await publish(["bad-line.far", "--ndjson", "--key", "far"], { stdin });
    expect(stderr).toContain("line 25001: it is not JSON");
    expect(stderr).toContain("lines 1 to 25000 are published; continue with --skip 25000 --key far");
    expect(await dataOf("bad-line.far")).toEqual(numbers(25_000));
  });
});

test("the same lines with the same key are published once", async () => {
  const stdin = linesOf(numbers(15_000));
  for (const skip of ["0", "0", "10000"]) {
    expect((await publish(["once", "--ndjson", "--key", "once", "--skip", skip], { stdin })).exitCode).toBe(0);
  }
  expect(await dataOf("once")).toEqual(numbers(15_000));
});

describe("publish --ndjson and files:", () => {
  test("--file is read", async () => {
    using folder = new TempFolder();
    writeFileSync(folder.file("events"), "1\n2\n");
    const { exitCode } = await publish(["files.a", "--ndjson", "--file", "events"], { folder: folder.path });
    expect(exitCode).toBe(0);
    expect(await dataOf("files.a")).toEqual([1, 2]);
  });

  test("a file that is missing, or a folder, ends with 1", async () => {
    using folder = new TempFolder();
    mkdirSync(folder.file("folder"));
    const missing = await publish(["--ndjson", "--file", "evnts.ndjson"], { folder: folder.path });
    expect(missing).toEqual({ exitCode: 1, stdout: "", stderr: "eventbus: there is no file evnts.ndjson\n" });
    const aFolder = await publish(["--ndjson", "--file", "folder"], { folder: folder.path });
    expect(aFolder).toEqual({ exitCode: 1, stdout: "", stderr: "eventbus: folder is a folder\n" });
  });

  test("a file name given as the topic is an error, unless `-` shows that it is the topic", async () => {
    using folder = new TempFolder();
    writeFileSync(folder.file("files.b"), "1\n");
    const { exitCode, stderr } = await publish(["files.b", "--ndjson"], { folder: folder.path, stdin: "2\n" });
    expect(exitCode).toBe(2);
    expect(stderr).toContain("files.b is a file: for its lines, eventbus publish --ndjson --file files.b");
    const said = await publish(["files.b", "-", "--ndjson"], { folder: folder.path, stdin: "3\n" });
    expect(said.exitCode).toBe(0);
    expect(await dataOf("files.b")).toEqual([3]);
  });
});

test("kill -9 of the server in the middle of many lines loses none, and repeats none", async () => {
  using folder = new TempFolder();
  const args = ["--max-history", "off"];
  await using killed = await Binary.start({ folder: folder.path, args });
  const { url, port } = killed;
  await using command = new RunningCommand(["publish", "n", "--ndjson", "--url", url]);
  const written = command.write(linesOf(numbers(LINES))).then(() => command.endInput());
  await until(async () => (await history(url, "last=1")).length > 0);
  await killed.kill();
  expect(command.isRunning).toBe(true);
  await using back = await Binary.start({ folder: folder.path, args, port });
  await written;
  expect(await command.exited).toBe(0);
  expect(await command.lines.next()).toBe(`{"count":${LINES},"lines":${LINES}}`);
  expect(await dataOf("n", back.url)).toEqual(numbers(LINES));
});

test(`${LARGE_MB} MB of lines do not fill memory`, async () => {
  const line = JSON.stringify("x".repeat(1_000_000));
  await using bounded = await Binary.start({ args: ["--max-history", "10", "--durability", "os"] });
  await using command = new RunningCommand(["publish", "large", "--ndjson", "--url", bounded.url]);
  for (const _ of numbers(LARGE_MB)) await command.write(`${line}\n`);
  const { peakMiB } = command;
  await command.endInput();
  expect(await command.exited).toBe(0);
  expect(await command.lines.next()).toBe(`{"count":${LARGE_MB},"lines":${LARGE_MB}}`);
  expect(peakMiB).toBeLessThan(MOST_MIB);
});
