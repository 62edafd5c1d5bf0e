import { expect, test } from "bun:test";
import { connect } from "node:net";
import type { Binary } from "../helpers/binary.ts";
import { publish, requestText } from "../helpers/http.ts";
import { randomFrom } from "../helpers/load.ts";
import { HANDSHAKE, RawSubscriber } from "../helpers/raw-web-socket.ts";
import { report, rounds, SEED } from "../helpers/rounds.ts";
import { residentMib } from "./lib/memory.ts";
import { type Cheat, startServer } from "./lib/server.ts";

/** Sent twice: the second time shows whether the server grows. */
const INPUTS = rounds(500, 50_000);
const CLIENTS = 16;
/** How many times as large the server may be after the second inputs as after the first. */
const MAX_GROWTH = 1.5;
/** Frames on one connection. */
const FRAMES_EACH = 20;
/** How long an answer to garbage is waited for, in milliseconds: often none comes, as the server waits for more. */
const PATIENCE_MS = 50;

const requests = [
  requestText("POST /api/events/publish", ["Idempotency-Key: k"], '{"topic":"a.b","data":{"n":1.10},"source":"s"}'),
  requestText("POST /api/events/publish", ["Content-Type: application/x-ndjson"], '{"topic":"a"}\n{"topic":"b"}\n'),
  requestText("POST /api/events/publish/a.b?source=s", ["Content-Type: text/plain"], "text"),
  requestText("POST /api/events/publish", ["Transfer-Encoding: chunked"], '5\r\n{"top\r\n8\r\nic":"a"}\r\n0\r\n\r\n'),
  requestText("GET /api/events/history?pattern=a.%7Bb,c%7D&last=5&from=10m&source=s"),
  requestText("GET /api/events/1", ["If-None-Match: *", "Range: bytes=0-5"]),
  requestText("GET /api/topics?pattern=*&limit=5&after=a"),
  requestText("GET /api/events/stream?since=all", ["Accept: application/x-ndjson", "Last-Event-ID: 1"]),
  requestText("GET /api/events/subscribe?pattern=a*", HANDSHAKE),
  requestText("DELETE /api/tokens/x", ["Authorization: Bearer ebt_x"]),
];
const frames = [
  '{"type":"publish","ref":1,"topic":"a","data":{"n":1},"source":"s"}',
  '{"type":"subscribe","ref":2,"pattern":"{a,b}.*"}',
  '{"type":"unsubscribe","ref":3,"pattern":"[a-z]*"}',
  '{"type":"ping","ref":4}',
];
const tokens = [
  "{",
  "}",
  "[",
  "]",
  '"',
  "\\",
  ",",
  ":",
  "\r\n",
  "\0",
  "*",
  "?",
  "%",
  "1e999",
  "null",
  "\ud800",
  "é",
  "ÿ",
];

/** The same text with some of it removed, repeated, replaced or inserted. */
function mutated(text: string, other: string, random: () => number): string {
  let result = text;
  for (let changes = Math.floor(random() * 4); changes >= 0; changes--) {
    const [from, to] = [place(result, random), place(result, random)].sort((a, b) => a - b) as [number, number];
    const pieces = [
      "",
      result.slice(from, to).repeat(2),
      other.slice(place(other, random)),
      tokens[Math.floor(random() * tokens.length)] ?? "",
      String.fromCharCode(Math.floor(random() * 256)),
      "x".repeat(Math.floor(random() ** 4 * 20_000)),
    ];
    result =
      result.slice(0, from) + pieces[Math.floor(random() * pieces.length)] + result.slice(random() < 0.5 ? from : to);
  }
  return result;
}

function place(text: string, random: () => number): number {
  return Math.floor(random() * (text.length + 1));
}

function oneOf(texts: readonly string[], random: () => number): string {
  return texts[Math.floor(random() * texts.length)] ?? "";
}

/** Sends the bytes and returns the statuses of the answers that come soon. */
function statusesOf(bytes: Buffer, port: number): Promise<number[]> {
  return new Promise((resolve) => {
    let text = "";
    const socket = connect(port, "127.0.0.1", () => socket.write(bytes));
    const timer = setTimeout(() => socket.destroy(), PATIENCE_MS);
    socket.on("data", (data) => (text += data.toString("latin1")));
    socket.on("error", () => {});
    socket.on("close", () => {
      clearTimeout(timer);
      resolve([...text.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map(([, status]) => Number(status)));
    });
  });
}

/** Does the work for each input; several clients share it. */
async function inParallel(count: number, work: (random: () => number) => Promise<void>): Promise<void> {
  let left = count;
  const client = async (_: unknown, index: number) => {
    const random = randomFrom(SEED + index);
    while (left-- > 0) await work(random);
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
}

/** What a server did with mutated inputs. */
interface Outcome {
  /** Answers that must not occur, with their inputs. */
  readonly bad: readonly string[];
  readonly figures: Readonly<Record<string, number | string>>;
}

/** Sends the inputs to a server of their own, and looks at it afterwards: it accepts an event, and has logged no error. */
async function harass(send: (server: Binary) => Promise<Outcome>, cheat?: Cheat): Promise<Outcome> {
  await using server = await startServer({}, cheat);
  await send(server);
  const warmMib = residentMib(server.pid);
  const { bad, figures } = await send(server);
  const mib = residentMib(server.pid);
  const growth = mib > warmMib * MAX_GROWTH ? [`${warmMib} MiB have become ${mib}`] : [];
  const { id } = await publish(server.url, "marker");
  expect((await fetch(`${server.url}/api/events/${id}`)).status).toBe(200);
  const errors = server.stderr.split("\n").filter((line) => / (error|fatal) /.test(line));
  return { bad: [...bad, ...errors, ...growth], figures: { ...figures, "MiB resident": `${warmMib}→${mib}` } };
}

async function sendRequests({ port }: Binary): Promise<Outcome> {
  const counts: Record<string, number> = {};
  const bad: string[] = [];
  await inParallel(INPUTS, async (random) => {
    const bytes = Buffer.from(mutated(oneOf(requests, random), oneOf(requests, random), random), "latin1");
    for (const status of await statusesOf(bytes, port)) {
      counts[status] = (counts[status] ?? 0) + 1;
      // 501, 505: a transfer encoding, or a version of HTTP, that the server does not know.
      if (status >= 500 && status !== 501 && status !== 505)
        bad.push(`${status}: ${JSON.stringify(bytes.toString("latin1"))}`);
    }
  });
  return { bad, figures: { requests: INPUTS, statuses: JSON.stringify(counts) } };
}

async function sendFrames({ url }: Binary): Promise<Outcome> {
  let [answered, closed] = [0, 0];
  const bad: string[] = [];
  await inParallel(INPUTS / FRAMES_EACH, async (random) => {
    using socket = await RawSubscriber.open(url, "pattern=none");
    for (let count = 0; count < FRAMES_EACH; count++) {
      const frame = mutated(oneOf(frames, random), oneOf(frames, random), random);
      socket.send(frame);
      const marker = `marker ${random()}`;
      socket.send({ type: "ping", ref: marker });
      const answers = await answersUntil(socket, marker);
      if (answers === undefined) {
        closed++;
        if (![1007, 1008, 1009, 1013].includes(await socket.closed)) bad.push(`${await socket.closed}: ${frame}`);
        return;
      }
      answered += answers.length;
      if (answers.some(({ code }) => code === "internal")) bad.push(`internal: ${frame}`);
    }
  });
  return { bad, figures: { answered, closed } };
}

test("mutated requests get no 5xx, and harm nothing", async () => {
  const { bad, figures } = await harass(sendRequests);
  report("mutated requests", figures);
  expect(bad).toEqual([]);
}, 3_600_000);

test("mutated frames get an answer each, or a documented close, and harm nothing", async () => {
  const { bad, figures } = await harass(sendFrames);
  report("mutated frames", figures);
  expect(bad).toEqual([]);
}, 3_600_000);

test.each([
  ["requests", sendRequests],
  ["frames", sendFrames],
] as const)(
  "mutated %s find a server that has an internal error",
  async (_, send) => {
    const { bad } = await harass(send, "brittle");
    expect(bad.join("\n")).toMatch(/^(500|internal): /m);
  },
  3_600_000,
);

/** What comes before the pong of the marker; undefined: the connection was closed. */
async function answersUntil(socket: RawSubscriber, marker: string): Promise<Record<string, unknown>[] | undefined> {
  const answers: Record<string, unknown>[] = [];
  try {
    for (;;) {
      const answer = await socket.nextJson();
      if (answer["ref"] === marker) return answers;
      answers.push(answer);
    }
  } catch {
    return undefined;
  }
}
