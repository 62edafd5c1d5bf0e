import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Binary, type Finished, type RunOptions, runBinary } from "../helpers/binary.ts";
import { RunningCommand } from "../helpers/command.ts";
import { publish, publishMany } from "../helpers/http.ts";
import { testWith } from "../helpers/requires.ts";
import { runOnTerminal, runShell } from "../helpers/shell.ts";
import { TempFolder } from "../helpers/temp.ts";

const TERMINAL_MS = 20_000;
/** Lives of the server in which a subscriber gets events. */
const LIVES = 4;
const EVENTS_A_LIFE = 500;
/** Of these, how many may still be under way when it is killed. */
const LATE = 200;

let server: Binary;

beforeAll(async () => {
  server = await Binary.start();
});

afterAll(() => server[Symbol.asyncDispose]());

function subscribe(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  return runBinary(["subscribe", ...args], { ...options, env: { EVENTBUS_URL: server.url, ...options.env } });
}

async function publishNumbers(topic: string, ...numbers: readonly number[]): Promise<number[]> {
  const { first_id } = await publishMany(
    server.url,
    numbers.map((data) => ({ topic, data })),
  );
  return numbers.map((_, index) => first_id + index);
}

async function nextNumbers(command: RunningCommand, count: number): Promise<unknown[]> {
  const numbers: unknown[] = [];
  while (numbers.length < count) numbers.push(JSON.parse(await command.lines.next()).data);
  return numbers;
}

test("every event comes once and in order, however often the server is killed", async () => {
  using folder = new TempFolder();
  const first = await Binary.start({ folder: folder.path });
  const { url, port } = first;
  await using command = new RunningCommand(["subscribe", "n", "--since", "all", "--url", url]);
  const received: unknown[] = [];
  for (let life = 0; life < LIVES; life++) {
    await using killed = life === 0 ? first : await Binary.start({ folder: folder.path, port });
    await publishMany(killed.url, numbered(life * EVENTS_A_LIFE, EVENTS_A_LIFE));
    // What the command has not received by now, it receives in the next life.
    received.push(...(await nextNumbers(command, EVENTS_A_LIFE - LATE)));
    await killed.kill();
  }
  await using _last = await Binary.start({ folder: folder.path, port });
  await publish(url, "n", "end");
  received.push(...(await nextNumbers(command, LIVES * LATE + 1)));
  expect(received).toEqual([...numbered(0, LIVES * EVENTS_A_LIFE).map(({ data }) => data), "end"]);
  expect(command.stderr).toMatch(/(refused at \S+|broke); retrying in \d+\.\d s\n/);
  expect(command.stderr).toContain("resumed\n");
  expect(command.stderr).not.toMatch(/computer|verbose|fetch\(/i);
});

function numbered(first: number, count: number): { topic: string; data: number }[] {
  return Array.from({ length: count }, (_, index) => ({ topic: "n", data: first + index }));
}

test("a subscriber of a server that is not there ends with 1, and how to fix it", async () => {
  const { exitCode, stdout, stderr } = await subscribe([], { env: { EVENTBUS_URL: "http://127.0.0.1:1" } });
  expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
  expect(stderr).toContain("connection refused at http://127.0.0.1:1: is the server running?");
});

describe("subscribe", () => {
  test("is live, and matches any of its patterns", async () => {
    await using command = new RunningCommand(["subscribe", "live.a", "live.c*", "--url", server.url]);
    await command.said(/connected to/);
    await publishNumbers("live.a", 1);
    await publishNumbers("live.b", 2);
    await publishNumbers("live.cc", 3);
    expect(await nextNumbers(command, 2)).toEqual([1, 3]);
  });

  test("--last, --since and --count say where to begin and to end", async () => {
    const [first = 0] = await publishNumbers("range", 1, 2, 3);
    const numbers = async (...args: string[]) => (await subscribe(["range", "--output", "data", ...args])).stdout;
    expect(await numbers("--last", "2", "--count", "2")).toBe("2\n3\n");
    expect(await numbers("--since", `${first}`, "--count", "1")).toBe("2\n");
    expect(await numbers("--since", "10m", "--count", "3")).toBe("1\n2\n3\n");
  });

  test("says how far it got, and continues there", async () => {
    await publishNumbers("again", 1, 2, 3);
    const { stderr } = await subscribe(["again", "--since", "all", "--count", "2"]);
    const since = /^eventbus: continue with --since (\d+)$/m.exec(stderr)?.[1] ?? "";
    const { stdout } = await subscribe(["again", "--since", since, "--count", "1", "--output", "data"]);
    expect(stdout).toBe("3\n");
  });

  test("interrupted, says the id to continue from, and ends with 0", async () => {
    await using command = new RunningCommand(["subscribe", "stop", "--url", server.url]);
    await command.said(/connected to/);
    const [id] = await publishNumbers("stop", 1);
    await nextNumbers(command, 1);
    command.signal("SIGINT");
    expect(await command.exited).toBe(0);
    expect(command.stderr).toEndWith(`eventbus: continue with --since ${id}\n`);
  });

  test("says where retention has left a gap", async () => {
    await using pruned = await Binary.start({ args: ["--max-history", "1"] });
    for (const topic of ["a", "b", "c"]) await publish(pruned.url, topic);
    await runBinary(["prune", "--url", pruned.url]);
    const { stdout, stderr } = await runBinary(["subscribe", "--since", "1", "--count", "1", "--url", pruned.url]);
    expect(JSON.parse(stdout)).toMatchObject({ id: 3, topic: "c" });
    expect(stderr).toContain("eventbus: gap: the events between 1 and 3 are no longer kept\n");
  });
});

describe("subscribe --output", () => {
  const print = async (form: string) => {
    await publish(server.url, "form", { a: "\u001b[31m", n: 1.5 }, "me\u001b[0m\u202e");
    return (await subscribe(["form", "--last", "1", "--count", "1", "--output", form])).stdout;
  };

  test("json is the whole event", async () => {
    expect(JSON.parse(await print("json"))).toMatchObject({ topic: "form", data: { n: 1.5 } });
  });

  test("data is the data alone", async () => {
    expect(await print("data")).toBe('{"a":"\\u001b[31m","n":1.5}\n');
  });

  test("pretty is for people, and what others wrote cannot control the terminal", async () => {
    expect(await print("pretty")).toMatch(
      /^\d+ {2}\S+Z {2}form {2}me\ufffd\[0m\ufffd {2}\{"a":"\\u001b\[31m","n":1\.5\}\n$/,
    );
  });
});

describe("subscribe --exec", () => {
  test("runs the command for each event, one after the other", async () => {
    await publish(server.url, "exec.a", { n: 1 }, "s");
    await publish(server.url, "exec.b", { n: 2 });
    const command = 'echo "begin $EVENTBUS_ID $EVENTBUS_TOPIC ($EVENTBUS_SOURCE)"; sleep 0.05; echo end';
    const { exitCode, stdout } = await subscribe(["exec.*", "--last", "2", "--count", "2", "--exec", command]);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^begin \d+ exec\.a \(s\)\nend\nbegin \d+ exec\.b \(\)\nend\n$/);
  });

  test("gives it the event on its standard input", async () => {
    await publish(server.url, "exec.in", "é");
    const { stdout } = await subscribe(["exec.in", "--last", "1", "--count", "1", "--exec", "cat"]);
    expect(JSON.parse(stdout)).toMatchObject({ topic: "exec.in", data: "é" });
  });

  test("gives it a source with U+FFFD in the place of a NUL, which no variable can hold", async () => {
    await publish(server.url, "exec.nul", 1, "x\0y");
    const args = ["exec.nul", "--since", "all", "--count", "1", "--exec", 'printf %s "$EVENTBUS_SOURCE"'];
    expect(await subscribe(args)).toMatchObject({ exitCode: 0, stdout: "x\u{fffd}y" });
  });

  test("ends with 1 when the first command fails, and says how to continue", async () => {
    const [first = 0] = await publishNumbers("fail.first", 1);
    const { exitCode, stderr } = await subscribe(["fail.first", "--since", "all", "--exec", "false"]);
    expect(exitCode).toBe(1);
    expect(stderr).toEndWith(`eventbus: continue with --since ${first - 1}\n`);
  });

  test("counts a command that cannot be started as one that failed", async () => {
    const [first = 0] = await publishNumbers("fail.start", 1);
    const args = ["fail.start", "--since", "all", "--count", "1", "--exec", "cat", "--on-error", "continue"];
    const { exitCode, stderr } = await subscribe(args, { env: { PATH: "/nowhere" } });
    expect(exitCode).toBe(0);
    expect(stderr).toContain("the command could not be started");
    expect(stderr).toEndWith(`eventbus: continue with --since ${first}\n`);
  });

  test("ends with 1 when it fails, and names the event before", async () => {
    const [first] = await publishNumbers("fail.a", 1, 2, 3);
    const { exitCode, stdout, stderr } = await subscribe(["fail.a", "--last", "3", "--exec", "grep -v data.:2"]);
    expect(exitCode).toBe(1);
    expect(stdout.trim().split("\n")).toHaveLength(1);
    expect(stderr).toContain(`the command ended with 1 for event ${(first ?? 0) + 1}\n`);
    expect(stderr).toEndWith(`eventbus: continue with --since ${first}\n`);
  });

  test("continues when it fails with --on-error continue", async () => {
    const [first] = await publishNumbers("fail.b", 1, 2, 3);
    const args = ["fail.b", "--last", "3", "--count", "3", "--exec", "grep -v data.:2", "--on-error", "continue"];
    const { exitCode, stdout, stderr } = await subscribe(args);
    expect(exitCode).toBe(0);
    expect(stdout.trim().split("\n")).toHaveLength(2);
    expect(stderr).toContain("the command ended with 1");
    expect(stderr).toEndWith(`eventbus: continue with --since ${(first ?? 0) + 2}\n`);
  });
});

describe("subscribe ends with 2 for", () => {
  const cases: readonly (readonly [situation: string, args: readonly string[], words: string])[] = [
    ["an invalid pattern", ["["], "pattern"],
    ["an invalid --since", ["--since", "yesterday"], "since"],
    ["a --since that is a Unix time", ["--since", "1796022000"], "if it is a time, write 2026-11-30T07:00:00Z"],
    ["--since and --last", ["--since", "all", "--last", "1"], "cannot be used with"],
    ["--count of zero", ["--count", "0"], "whole number of at least 1"],
    ["an unknown form", ["--output", "xml"], "Allowed choices are json, pretty, data"],
    ["--exec and --output", ["--exec", "cat", "--output", "json"], "cannot be used with"],
  ];
  for (const [situation, args, words] of cases) {
    test(situation, async () => {
      const { exitCode, stdout, stderr } = await subscribe(args);
      expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
      expect(stderr).toContain(words);
    });
  }
});

describe("subscribe in a pipe", () => {
  test("ends with 0 as soon as its output has no reader, though nothing more is published", async () => {
    await publishNumbers("head", 1);
    const line = '"$EVENTBUS" subscribe head --last 1 --output data | head -1; echo "ended with $PIPESTATUS"';
    const { output } = await runShell(line, { EVENTBUS_URL: server.url });
    expect(output).toContain("1\n");
    expect(output).toEndWith("ended with 0\n");
  });

  test("ends with 0 when its output loses its reader in the middle of many events", async () => {
    await publishNumbers("many", ...Array.from({ length: 10_000 }, (_, index) => index));
    const line = '"$EVENTBUS" subscribe many --since all | head -1 >/dev/null; echo "ended with $PIPESTATUS"';
    const { output } = await runShell(line, { EVENTBUS_URL: server.url });
    expect(output).toEndWith("ended with 0\n");
    expect(output).not.toContain("EPIPE");
  });

  test("waits for a slow reader, and loses nothing", async () => {
    const numbers = Array.from({ length: 5000 }, (_, index) => index);
    await publishNumbers("slow", ...numbers);
    const line = '"$EVENTBUS" subscribe slow --since all --count 5000 --output data 2>/dev/null | (sleep 0.3; cat)';
    const { output } = await runShell(line, { EVENTBUS_URL: server.url });
    expect(output.trim().split("\n").map(Number)).toEqual(numbers);
  });
});

describe("colours", () => {
  const line = '"$EVENTBUS" subscribe colour --last 1 --count 1';
  const run = async (env: Readonly<Record<string, string>> = {}) => {
    await publishNumbers("colour", 1);
    return (await runOnTerminal(line, { EVENTBUS_URL: server.url, ...env })).output;
  };

  testWith(
    ["script"],
    "are on a terminal, with the pretty form",
    async () => {
      expect(await run()).toContain("\u001b[36mcolour\u001b[39m  1\n");
    },
    TERMINAL_MS,
  );

  testWith(
    ["script"],
    "are not there with NO_COLOR",
    async () => {
      const output = await run({ NO_COLOR: "1" });
      expect(output).toMatch(/ {2}colour {2}1\n/);
      expect(output).not.toContain("\u001b[3");
    },
    TERMINAL_MS,
  );

  test("are not in a pipe, where events are JSON", async () => {
    await publishNumbers("colour", 1);
    const { stdout } = await subscribe(["colour", "--last", "1", "--count", "1"]);
    expect(JSON.parse(stdout)).toMatchObject({ topic: "colour", data: 1 });
  });
});
