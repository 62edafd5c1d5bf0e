import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Binary } from "../helpers/binary.ts";
import { publish, publishMany, requestText } from "../helpers/http.ts";
import { HANDSHAKE, textFrame } from "../helpers/raw-web-socket.ts";
import { IS_LONG, report, rounds } from "../helpers/rounds.ts";
import { type CrowdOptions, startCrowd } from "./lib/crowd.ts";
import { type Cheat, startServer } from "./lib/server.ts";
import { residentMib } from "./lib/usage.ts";

/** Rounds beside each crowd, in turns. Other programs can only add to the times, so the best round counts. */
const ROUNDS = rounds(1, 9);
const ROUND_MS = 1000;
/** How long a round goes on when its crowd has left, in milliseconds: to see connections off is work, too. */
const LEAVING_MS = 200;
const CROWD = 300;
/** More than a server accepts by default, in a long run. */
const CONNECTIONS = IS_LONG ? 20_000 : 1000;
/** Patterns that one connection subscribes to: as many as fit into the arguments of a program. */
const PATTERNS = 120;
/** How much longer a publish may take beside hostile clients than beside as many that behave. */
const MAX_RATIO = 3;
/** What other programs may make of it anyway, in milliseconds; many run beside a short run, often on a slow disk. */
const NOISE_MS = IS_LONG ? 10 : 1000;
/** After this long, in milliseconds, a publish is not served. */
const STARVED_MS = 3000;
/**
 * Resident memory that hostile clients may make the server use, in MiB: all that waits for readers (256), and what the
 * sockets themselves take.
 */
const MAX_MIB = 1024;

let binary: Binary;

beforeAll(async () => {
  binary = await startFilled();
});

afterAll(() => binary[Symbol.asyncDispose]());

/** A server with a history of 25,000 events. */
async function startFilled(cheat?: Cheat): Promise<Binary> {
  const server = await startServer({ args: ["--max-history", "off"] }, cheat);
  const events = Array.from({ length: 5000 }, (_, n) => ({ topic: `t.${n % 50}`, data: "x".repeat(500) }));
  for (let round = 0; round < 5; round++) await publishMany(server.url, events);
  return server;
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

const kinds = {
  "no other clients": { hostile: none, honest: none },
  "connections that send nothing": {
    hostile: { count: CONNECTIONS, bytes: "", manner: "ignore" },
    honest: { count: CONNECTIONS, bytes: requestText("GET /healthz"), manner: "read" },
  },
  "heads that never end": { hostile: { count: CROWD, bytes: "GET / HTTP/1.1\r\nA: ", manner: "ignore" }, honest: none },
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
  "hard subscriptions on one connection each": {
    hostile: { count: 6, bytes: subscriptions("*a"), manner: "ignore" },
    honest: { count: 6, bytes: subscriptions("a"), manner: "ignore" },
  },
  "backups in a loop": {
    hostile: { count: 4, bytes: requestText("GET /api/backup", close), manner: "reconnect" },
    honest: { count: 1, bytes: requestText("GET /api/backup"), manner: "repeat" },
  },
} satisfies Record<string, Kind>;

function subscription(patterns: string): string {
  return requestText(`GET /api/events/subscribe?${patterns}`, HANDSHAKE);
}

/** A WebSocket that subscribes to patterns of fifty alternatives, and unsubscribes, as fast as it is served. */
function subscriptions(alternative: string): string {
  const frames = Array.from({ length: PATTERNS }, (_, first) => {
    const alternatives = Array.from({ length: 50 }, (_, n) => alternative + ((first + n) % 100));
    const pattern = `{${alternatives.join(",")}}`;
    return ["subscribe", "unsubscribe"].map((type) => textFrame(JSON.stringify({ type, pattern })).toString("latin1"));
  });
  return requestText("GET /api/events/subscribe?pattern=none", HANDSHAKE) + frames.flat().join("");
}

/** Publishes one event after the other for this long; resolves with the durations, in milliseconds. */
async function publishHonestly(url: string, forMs: number): Promise<number[]> {
  const durations: number[] = [];
  const endMs = performance.now() + forMs;
  while (performance.now() < endMs) {
    const startMs = performance.now();
    const served = publish(url, "honest").then(() => true);
    if (!(await Promise.race([served, Bun.sleep(STARVED_MS)]))) served.catch(() => {});
    durations.push(performance.now() - startMs);
  }
  return durations;
}

/** The durations of a round, ascending, in milliseconds. */
async function durationsBeside({ url, port }: Binary, clients: Clients): Promise<number[]> {
  const crowd = startCrowd({ ...clients, port });
  const beside = await publishHonestly(url, ROUND_MS);
  crowd[Symbol.dispose]();
  const behind = await publishHonestly(url, LEAVING_MS);
  return [...beside, ...behind].sort((a, b) => a - b);
}

/** The least 99th percentile of the rounds. */
function best(roundsOf: readonly (readonly number[])[]): number {
  return Math.min(...roundsOf.map(percentile99));
}

/**
 * How long one in a hundred of those waits that come at any moment: a publisher that waits for each response sends
 * nothing during a long one, so the times count as often as they are long.
 */
function percentile99(durations: readonly number[]): number {
  let restMs = durations.reduce((sum, ms) => sum + ms, 0) * 0.99;
  for (const ms of durations) {
    restMs -= ms;
    if (restMs <= 0) return ms;
  }
  return 0;
}

/** What clients of a kind did to the honest publisher. */
interface Outcome {
  readonly publishes: number;
  /** The 99th percentile of a publish, in milliseconds. */
  readonly hostileMs: number;
  readonly honestMs: number;
  readonly isServed: boolean;
}

async function outcomeOf({ hostile, honest }: Kind, count = ROUNDS, server = binary): Promise<Outcome> {
  const beside: { honest: number[][]; hostile: number[][] } = { honest: [], hostile: [] };
  for (let round = 0; round < count; round++) {
    beside.honest.push(await durationsBeside(server, honest));
    beside.hostile.push(await durationsBeside(server, hostile));
  }
  const [hostileMs, honestMs] = [best(beside.hostile), best(beside.honest)];
  const isServed = hostileMs <= Math.max(NOISE_MS, MAX_RATIO * honestMs);
  return { publishes: beside.hostile.flat().length, hostileMs, honestMs, isServed };
}

for (const [name, kind] of Object.entries(kinds)) {
  test(`an honest publisher is served beside ${name}, in bounded memory`, async () => {
    const { publishes, hostileMs, honestMs, isServed } = await outcomeOf(kind);
    const mib = residentMib(binary.pid);
    report(`beside ${name}`, {
      publishes,
      "ms p99": hostileMs.toFixed(1),
      "ms p99 beside the same load without hostility": honestMs.toFixed(1),
      MiB: mib,
    });
    expect({ hostileMs, honestMs, isServed }).toEqual({ hostileMs, honestMs, isServed: true });
    expect(mib).toBeLessThan(MAX_MIB);
    expect(binary.stderr).not.toMatch(/ (error|fatal) /);
  });
}

test("a server that matches by backtracking is detected by a storm of subscriptions", async () => {
  await using slow = await startFilled("backtracking");
  const { hostile } = kinds["storms of subscriptions with hard patterns"];
  expect(await outcomeOf({ hostile, honest: none }, 1, slow)).toMatchObject({ isServed: false });
}, 120_000);
