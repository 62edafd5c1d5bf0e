import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { ConsumerInfo } from "../../src/protocol/consumer.ts";
import { BINARY, Binary, type Finished, runBinary, spawnBinary } from "../helpers/binary.ts";
import { publishMany } from "../helpers/http.ts";
import { until } from "../helpers/inbox.ts";
import { TempFolder } from "../helpers/temp.ts";

let server: Binary;

beforeAll(async () => {
  server = await Binary.start();
});

afterAll(() => server[Symbol.asyncDispose]());

function run(...args: string[]): Promise<Finished> {
  return runBinary(args, { env: { EVENTBUS_URL: server.url } });
}

async function infoOf(name: string): Promise<ConsumerInfo> {
  return JSON.parse((await run("consumer", "show", name)).stdout) as ConsumerInfo;
}

function publishTo(topic: string, count: number): Promise<unknown> {
  return publishMany(
    server.url,
    Array.from({ length: count }, (_, data) => ({ topic, data })),
  );
}

test("consumers are set up, listed, moved, paused and deleted", async () => {
  const made = await run("consumer", "set", "setup", "a.*", "b", "--order", "none", "--retry", "1s", "--retry", "5s");
  expect(JSON.parse(made.stdout)).toMatchObject({ pattern: ["a.*", "b"], order: "none", retry: ["1s", "5s"] });
  expect((await run("consumer", "list", "--output", "table")).stdout).toMatch(/^setup +a\.\* b +none/m);
  expect(JSON.parse((await run("consumer", "pause", "setup")).stdout)).toMatchObject({ paused: true });
  expect(JSON.parse((await run("consumer", "resume", "setup")).stdout)).toMatchObject({ paused: false });
  expect((await run("consumer", "seek", "setup", "all")).exitCode).toBe(0);
  expect((await run("consumer", "delete", "setup")).exitCode).toBe(0);
  const gone = await run("consumer", "show", "setup");
  expect([gone.exitCode, gone.stderr]).toEqual([1, expect.stringContaining("no consumer")]);
});

test("a consumer that pushes prints its secret when it is made, and when that is rotated", async () => {
  const made = await run(
    "consumer",
    "set",
    "push",
    "none",
    "--push-url",
    "http://127.0.0.1:9/",
    "--push-timeout",
    "5s",
    "--push-header",
    "Authorization: Bearer a:b",
    "--push-header",
    "X-Shop:1",
  );
  expect(JSON.parse(made.stdout)).toMatchObject({
    push: { timeout: "5s", headers: { Authorization: "…", "X-Shop": "…" } },
    secret: expect.stringMatching(/^whsec_/),
  });
  const lone = await run("consumer", "set", "push", "none", "--push-timeout", "5s");
  expect(lone).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("need --push-url") });
  const wrong = await run("consumer", "set", "push", "none", "--push-url", "http://127.0.0.1:9/", "--push-header", "x");
  expect([wrong.exitCode, wrong.stderr]).toEqual([2, expect.stringContaining("a name, a colon and a value")]);
  const rotated = JSON.parse((await run("consumer", "rotate-secret", "push")).stdout);
  expect(rotated.secret).not.toBe(JSON.parse(made.stdout).secret);
  expect(await infoOf("push")).not.toHaveProperty("secret");
});

test("consume prints events and acknowledges them", async () => {
  await run("consumer", "set", "print", "p");
  await publishTo("p", 3);
  const { stdout, exitCode } = await run("consume", "print", "--max", "3");
  const data = stdout
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line).data);
  expect([exitCode, data]).toEqual([0, [0, 1, 2]]);
  expect(await infoOf("print")).toMatchObject({ lag: 0, in_flight: 0 });
});

test("consume --exec acknowledges by the exit code, in parallel", async () => {
  await run("consumer", "set", "work", "w", "--order", "none", "--max-attempts", "1");
  await publishTo("w", 4);
  const { stdout, stderr, exitCode } = await run(
    ...["consume", "work", "--parallel", "2", "--max", "4"],
    ...["--exec", 'echo "$EVENTBUS_TOPIC"; ! grep -q \'"data":2\''],
  );
  expect([exitCode, stdout]).toEqual([0, "w\n".repeat(4)]);
  expect(stderr).toContain("the command ended with 1 for event");
  expect(await infoOf("work")).toMatchObject({ lag: 0, dead: 1, last_error: "the command ended with 1" });
  const dead = JSON.parse((await run("consumer", "dead", "work")).stdout);
  expect(dead).toMatchObject({ attempts: 1, event: { data: 2 } });
  const wrong = await run("consumer", "retry", "work", "1", "one");
  expect(wrong).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("It must be a whole number") });
  expect((await run("consumer", "retry", "work", String(dead.id))).stdout).toBe('{"done":1}\n');
  expect((await run("consume", "work", "--max", "1")).stdout).toContain('"data":2');
});

test("a command that takes longer than ack_timeout keeps its event", async () => {
  await run("consumer", "set", "slow", "s", "--ack-timeout", "600ms");
  await publishTo("s", 1);
  const { stderr } = await run("consume", "slow", "--max", "1", "--exec", "sleep 2");
  expect(stderr).toBe("");
  expect(await infoOf("slow")).toMatchObject({ lag: 0, last_error: null });
});

/** A worker with a process group of its own, as a terminal gives it one. */
function startWorker(folder: string, name: string, command: string) {
  const args = ["consume", name, "--max", "1", "--exec", command];
  return spawnBinary(args, folder, { EVENTBUS_URL: server.url }, undefined, undefined, ["setsid", BINARY]);
}

test("Ctrl-C lets a command that is running complete", async () => {
  using folder = new TempFolder();
  await run("consumer", "set", "interrupted", "i", "--max-attempts", "1");
  await publishTo("i", 1);
  const worker = startWorker(folder.path, "interrupted", "echo > begun; sleep 1; echo done");
  await until(() => existsSync(join(folder.path, "begun")));
  process.kill(-worker.pid, "SIGINT");
  const texts = [new Response(worker.stdout).text(), new Response(worker.stderr).text()];
  expect([await worker.exited, ...(await Promise.all(texts))]).toEqual([0, "done\n", ""]);
  expect(await infoOf("interrupted")).toMatchObject({ lag: 0, dead: 0, acknowledged: 1 });
});

test("a second Ctrl-C terminates the command, and its event is delivered again", async () => {
  using folder = new TempFolder();
  await run("consumer", "set", "ended", "e", "--ack-timeout", "300ms", "--retry", "10ms");
  await publishTo("e", 1);
  const worker = startWorker(folder.path, "ended", "trap 'echo > ended; exit' TERM; echo > begun; sleep 600 & wait");
  await until(() => existsSync(join(folder.path, "begun")));
  const interrupting = setInterval(() => {
    if (worker.exitCode === null) process.kill(-worker.pid, "SIGINT");
  }, 100);
  const exitCode = await worker.exited.finally(() => clearInterval(interrupting));
  expect(exitCode).toBe(130);
  await until(() => existsSync(join(folder.path, "ended")));
  expect((await run("consume", "ended", "--max", "1")).stdout).toContain('"topic":"e"');
});
