import { afterAll, beforeAll, expect, test } from "bun:test";
import { Binary } from "../helpers/binary.ts";
import { publish, requestText } from "../helpers/http.ts";
import { HANDSHAKE } from "../helpers/raw-web-socket.ts";
import { report, rounds } from "../helpers/rounds.ts";
import { type CrowdOptions, startCrowd } from "./lib/crowd.ts";
import { residentMib } from "./lib/usage.ts";

/** Rounds beside each crowd, in turns. Other programs can only add to the times, so the best round counts. */
const ROUNDS = rounds(2, 9);
const ROUND_MS = 1000;
const CROWD = 300;
/**
 * Resident memory that hostile clients may make the server use, in MiB: all that waits for readers (256), and what the
 * sockets themselves take.
 */
const MAX_MIB = 1024;

let binary: Binary;

beforeAll(async () => {
  binary = await Binary.start({ args: ["--max-history", "off"] });
  const lines = Array.from({ length: 5000 }, (_, n) => JSON.stringify({ topic: `t.${n % 50}`, data: "x".repeat(500) }));
  for (let round = 0; round < 5; round++) await publishLines(lines.join("\n"));
});

afterAll(() => binary[Symbol.asyncDispose]());

async function publishLines(body: string): Promise<void> {
  const headers = { "Content-Type": "application/x-ndjson" };
  const response = await fetch(`${binary.url}/api/events/publish`, { method: "POST", headers, body });
  expect(response.status).toBe(200);
}

const endless = "POST /api/events/publish HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{";
const history = requestText("GET /api/events/history?last=10000");
const socket = requestText("GET /api/events/subscribe?since=all", HANDSHAKE);
const stream = requestText("GET /api/events/stream?since=all");
const page = "GET /api/events/history?last=100";
const document = "GET /swagger/json";
const close = ["Connection: close"];
const storm = Array.from({ length: 60 }, (_, n) => `pattern=*${"a*".repeat(30)}${n}`).join("&");
const plain = Array.from({ length: 60 }, (_, n) => `pattern=a${n}`).join("&");

interface Kind {
  /** Clients that mean harm. */
  readonly hostile: Clients;
  /** As many clients that ask for the same, and behave. */
  readonly honest: Clients;
}

type Clients = Omit<CrowdOptions, "port">;

const none: Clients = { count: 0, bytes: "", manner: "ignore" };

/** Clients that never read what they ask for, and clients that do. */
function unread(bytes: string): Kind {
  return { hostile: { count: CROWD, bytes, manner: "ignore" }, honest: { count: CROWD, bytes, manner: "read" } };
}

const kinds: Readonly<Record<string, Kind>> = {
  "no other clients": { hostile: none, honest: none },
  "bodies that never end": { hostile: { count: CROWD, bytes: endless, manner: "ignore" }, honest: none },
  "a connection for each request": {
    hostile: { count: 50, bytes: requestText(document, close), manner: "reconnect" },
    honest: { count: 50, bytes: requestText(document), manner: "repeat" },
  },
  "answers that are never read": unread(history),
  "WebSockets that never read": unread(socket),
  "streams that are never read": unread(stream),
  "pipelined requests": {
    hostile: { count: 50, bytes: requestText(page).repeat(500), manner: "ignore" },
    honest: { count: 50, bytes: requestText(page), manner: "repeat" },
  },
  "storms of subscriptions with hard patterns": {
    hostile: { count: 6, bytes: subscription(storm), manner: "reconnect" },
    honest: { count: 6, bytes: subscription(plain), manner: "reconnect" },
  },
  "backups in a loop": {
    hostile: { count: 4, bytes: requestText("GET /api/backup", close), manner: "reconnect" },
    honest: { count: 4, bytes: history, manner: "repeat" },
  },
};

function subscription(patterns: string): string {
  return requestText(`GET /api/events/subscribe?${patterns}`, HANDSHAKE);
}

/** Publishes one event after the other for a round; the durations, ascending, in milliseconds. */
async function publishHonestly(): Promise<number[]> {
  const durations: number[] = [];
  const endMs = performance.now() + ROUND_MS;
  while (performance.now() < endMs) {
    const startMs = performance.now();
    await publish(binary.url, "honest");
    durations.push(performance.now() - startMs);
  }
  return durations.sort((a, b) => a - b);
}

async function durationsBeside(clients: Clients): Promise<number[]> {
  using _ = startCrowd({ ...clients, port: binary.port });
  return await publishHonestly();
}

/** The least 99th percentile of the rounds. */
function best(roundsOf: readonly (readonly number[])[]): string {
  const each = roundsOf.map((durations) => durations[Math.floor(durations.length * 0.99)] ?? 0);
  return Math.min(...each).toFixed(1);
}

for (const [name, { hostile, honest }] of Object.entries(kinds)) {
  test(`an honest publisher is served beside ${name}, in bounded memory`, async () => {
    const beside: { honest: number[][]; hostile: number[][] } = { honest: [], hostile: [] };
    for (let round = 0; round < ROUNDS; round++) {
      beside.honest.push(await durationsBeside(honest));
      beside.hostile.push(await durationsBeside(hostile));
    }
    const mib = residentMib(binary.pid);
    report(`beside ${name}`, {
      publishes: beside.hostile.flat().length,
      "ms p99": best(beside.hostile),
      "ms p99 beside the same load without hostility": best(beside.honest),
      MiB: mib,
    });
    expect(beside.hostile.every((durations) => durations.length > 0)).toBe(true);
    expect(mib).toBeLessThan(MAX_MIB);
    expect(binary.stderr).not.toMatch(/ (error|fatal) /);
  });
}
