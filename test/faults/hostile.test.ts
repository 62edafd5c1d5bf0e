import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { Binary } from "../helpers/binary.ts";
import { Flood } from "../helpers/flood.ts";
import { publish, requestText } from "../helpers/http.ts";
import { HANDSHAKE } from "../helpers/raw-web-socket.ts";
import { report, rounds } from "../helpers/rounds.ts";

const SECONDS = rounds(2, 30);
const CROWD = rounds(300, 5000);
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

/** Clients that each send the same bytes once, and read no answer. */
class Deaf implements Disposable {
  readonly #sockets: Socket[];

  constructor(count: number, bytes: string) {
    this.#sockets = Array.from({ length: count }, () => {
      const socket = connect(binary.port, "127.0.0.1", () => socket.write(bytes));
      socket.pause();
      return socket.on("error", () => {});
    });
  }

  [Symbol.dispose](): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}

const endless = "POST /api/events/publish HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{";
const pipelined = requestText("GET /api/events/history?last=100").repeat(500);
const storm = Array.from({ length: 60 }, (_, n) => `pattern=*${"a*".repeat(30)}${n}`).join("&");

const attacks: Readonly<Record<string, () => Disposable>> = {
  "nobody else": () => new Deaf(0, ""),
  "bodies that never end": () => new Deaf(CROWD, endless),
  "a connection for each request": () =>
    new Flood(binary.url, 50, requestText("GET /swagger/json", ["Connection: close"])),
  "answers that are never read": () => new Deaf(CROWD, requestText("GET /api/events/history?last=10000")),
  "WebSockets that never read": () => new Deaf(CROWD, requestText("GET /api/events/subscribe?since=all", HANDSHAKE)),
  "streams that are never read": () => new Deaf(CROWD, requestText("GET /api/events/stream?since=all")),
  "pipelined requests": () => new Deaf(50, pipelined),
  "storms of subscriptions with hard patterns": () =>
    new Flood(binary.url, 6, requestText(`GET /api/events/subscribe?${storm}`, HANDSHAKE)),
  "backups in a loop": () => new Flood(binary.url, 4, requestText("GET /api/backup", ["Connection: close"])),
};

/** Publishes one event after the other for some seconds; the durations, ascending, in milliseconds. */
async function publishHonestly(): Promise<number[]> {
  const durations: number[] = [];
  const endMs = performance.now() + SECONDS * 1000;
  while (performance.now() < endMs) {
    const startMs = performance.now();
    await publish(binary.url, "honest");
    durations.push(performance.now() - startMs);
  }
  return durations.sort((a, b) => a - b);
}

function memoryMiB(): number {
  const [, kib] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${binary.pid}/status`, "utf8")) ?? [];
  return Math.round(Number(kib) / 1024);
}

for (const [name, attack] of Object.entries(attacks)) {
  test(`an honest publisher is served beside ${name}, in bounded memory`, async () => {
    using _ = attack();
    const durations = await publishHonestly();
    const at = (share: number) => (durations[Math.floor(durations.length * share)] ?? 0).toFixed(1);
    const mib = memoryMiB();
    report(`beside ${name}`, { publishes: durations.length, "ms p50": at(0.5), "ms p99": at(0.99), MiB: mib });
    expect(durations.length).toBeGreaterThan(0);
    expect(mib).toBeLessThan(MAX_MIB);
    expect(binary.stderr).not.toMatch(/ (error|fatal) /);
  });
}
