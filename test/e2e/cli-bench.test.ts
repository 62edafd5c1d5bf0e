import { afterAll, beforeAll, expect, test } from "bun:test";
import { Binary, runBinary } from "../helpers/binary.ts";
import { RunningCommand } from "../helpers/command.ts";
import { history } from "../helpers/http.ts";

let server: Binary;

beforeAll(async () => {
  server = await Binary.start();
});

afterAll(() => server[Symbol.asyncDispose]());

const percentiles = {
  p50: expect.any(Number),
  p90: expect.any(Number),
  p99: expect.any(Number),
  max: expect.any(Number),
};

test("bench publishes --count events, of --bytes, and every subscriber gets all of them", async () => {
  const args = ["--count", "500", "--subscribers", "3", "--publishers", "8", "--bytes", "64", "--json"];
  const { exitCode, stdout, stderr } = await runBinary(["bench", ...args, "--url", server.url]);
  expect(exitCode).toBe(0);
  expect(stderr).toContain("this writes events to the server's history");
  const figures = JSON.parse(stdout);
  expect(figures).toMatchObject({ events: 500, subscribers: 3, delivered: 1500, publish_ms: percentiles });
  expect(figures.delivery_ms).toMatchObject(percentiles);
  expect(figures.topic).toStartWith("bench.");
  const events = await history(server.url, `topic=${figures.topic}&last=10000`);
  expect(events).toHaveLength(500);
  expect(new Set(events.map((event) => JSON.stringify(event.data).length > 64))).toEqual(new Set([false]));
});

test("bench ends after --seconds, and draws its figures", async () => {
  const { exitCode, stdout } = await runBinary(["bench", "--seconds", "1", "--subscribers", "1", "--url", server.url]);
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/^\d+ events of 100 bytes to bench\.\w+ in \d+\.\d\d s\n\npublished {2}\d+\/s/);
  expect(stdout).toMatch(/\ndelivered {2}\d+\/s to 1 subscriber, .*:\n( {2}≤ [\d.]+ +█* \d+\n)+ {2}p50 /);
});

test("bench without subscribers reports publishing alone", async () => {
  const args = ["bench", "--count", "10", "--subscribers", "0", "--json", "--url", server.url];
  const { stdout } = await runBinary(args);
  expect(JSON.parse(stdout)).toMatchObject({ events: 10, delivered: 0, delivery_ms: { p50: null, max: null } });
});

test("bench that is interrupted reports what it has measured", async () => {
  await using command = new RunningCommand(["bench", "--seconds", "3600", "--json", "--url", server.url]);
  await command.said(/this writes events/);
  while ((await history(server.url, "topic=bench.*&last=1")).length === 0);
  command.signal("SIGINT");
  expect(await command.exited).toBe(0);
  expect(JSON.parse(await command.lines.next()).seconds).toBeLessThan(3600);
});

test("bench with too large a number ends with 2", async () => {
  for (const flag of ["--publishers", "--subscribers", "--seconds", "--count", "--bytes"]) {
    const { exitCode, stderr } = await runBinary(["bench", flag, "999999999", "--url", server.url]);
    expect({ flag, exitCode }).toEqual({ flag, exitCode: 2 });
    expect(stderr).toMatch(/It must be a whole number from \d to \d+/);
  }
});

test("bench of a server that is not there ends with 1", async () => {
  const { exitCode, stderr } = await runBinary(["bench", "--url", "http://127.0.0.1:1"]);
  expect(exitCode).toBe(1);
  expect(stderr).toContain("is the server running?");
});
