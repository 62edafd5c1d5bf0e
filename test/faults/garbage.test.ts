import { expect, test } from "bun:test";
import { connect } from "node:net";
import type { Binary } from "../helpers/binary.ts";
import { publish, requestText } from "../helpers/http.ts";
import { randomFrom } from "../helpers/load.ts";
import { RawSubscriber } from "../helpers/raw-web-socket.ts";
import { IS_LONG, report, rounds, SEED } from "../helpers/rounds.ts";
import { frames, mutated, requests } from "./lib/mutations.ts";
import { type Cheat, startServer } from "./lib/server.ts";
import { Slowest } from "./lib/slowest.ts";
import { processorMs, residentMib } from "./lib/usage.ts";

/** Sent twice: the second time shows whether the server grows. */
const INPUTS = rounds(500, 50_000);
const CLIENTS = 16;
/** How many times as large the server may be after the second inputs as after the first. */
const MAX_GROWTH = 1.5;
/**
 * How long a long run lets an input hold up others, in milliseconds. In a short one the machine has other work, which
 * holds up everything.
 */
const MAX_WAIT_MS = IS_LONG ? 1000 : Number.POSITIVE_INFINITY;
/** Frames on one connection. */
const FRAMES_EACH = 20;
/** How long an answer to garbage is waited for, in milliseconds: often none comes, as the server waits for more. */
const PATIENCE_MS = 50;
/** Time until the server has accepted a connection, and read what was sent, in milliseconds. */
const HEAD_START_MS = 5;

/** Sends the bytes and returns the statuses of the answers that come soon. */
function statusesOf(input: string, port: number, onSent = () => {}): Promise<number[]> {
  return new Promise((resolve) => {
    let text = "";
    const socket = connect(port, "127.0.0.1", () => socket.write(Buffer.from(input, "latin1"), onSent));
    const timer = setTimeout(() => socket.destroy(), PATIENCE_MS);
    socket.on("data", (data) => (text += data.toString("latin1")));
    socket.on("error", () => {});
    socket.on("close", () => {
      clearTimeout(timer);
      resolve([...text.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map(([, status]) => Number(status)));
    });
  });
}

/** Sends the bytes, and then a request that does nothing: when that is answered, the bytes were worked on. */
async function sendAlone(server: Binary, input: string): Promise<void> {
  const { promise: sent, resolve } = Promise.withResolvers<void>();
  const ended = statusesOf(input, server.port, resolve);
  await Promise.race([sent, ended]);
  await msOfControl(server);
  await ended;
}

/** Returns how long a request that does nothing waits for its response. What was sent before is being worked on then. */
async function msOfControl({ url }: Binary): Promise<number> {
  await Bun.sleep(HEAD_START_MS);
  const startMs = performance.now();
  await (await fetch(`${url}/healthz`)).arrayBuffer();
  return performance.now() - startMs;
}

/** Sends the frame, and then one that does nothing: when that is answered, the first was worked on. */
async function sendFrameAlone({ url }: Binary, frame: string): Promise<void> {
  using socket = await RawSubscriber.open(url, "pattern=none");
  socket.send(frame);
  socket.send({ type: "ping", ref: "behind" });
  await answersUntil(socket, "behind");
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

/** A kind of input: sends many, noting how long each takes. */
interface Kind {
  readonly send: (server: Binary, slowest: Slowest) => Promise<Outcome>;
  /** Sends one; resolves when the server has worked on it. */
  readonly sendAlone: (server: Binary, input: string) => Promise<void>;
  /** An input that does nothing. */
  readonly control: string;
}

const kinds = {
  requests: { send: sendRequests, sendAlone, control: requestText("GET /healthz") },
  frames: { send: sendFrames, sendAlone: sendFrameAlone, control: '{"type":"ping"}' },
} satisfies Record<string, Kind>;

/** Sends the inputs to a server of their own, and looks at it afterwards: it accepts an event, and has logged no error. */
async function harass({ send, sendAlone, control }: Kind, cheat?: Cheat): Promise<Outcome> {
  await using server = await startServer({}, cheat);
  const slowest = new Slowest();
  await send(server, slowest);
  const warmMib = residentMib(server.pid);
  const { bad, figures } = await send(server, slowest);
  const mib = residentMib(server.pid);
  const growth = mib > warmMib * MAX_GROWTH ? [`${warmMib} MiB have become ${mib}`] : [];
  const processorMsOf = async (input: string) => {
    const before = processorMs(server.pid);
    await sendAlone(server, input);
    return processorMs(server.pid) - before;
  };
  const { longestMs } = slowest;
  const late = longestMs > MAX_WAIT_MS ? [`${Math.round(longestMs)} ms behind an input`] : [];
  const { slow, mostRatio } = await slowest.confirm(processorMsOf, control);
  const { id } = await publish(server.url, "marker");
  expect((await fetch(`${server.url}/api/events/${id}`)).status).toBe(200);
  const errors = server.stderr.split("\n").filter((line) => / (error|fatal) /.test(line));
  return {
    bad: [...bad, ...errors, ...growth, ...late, ...slow],
    figures: {
      ...figures,
      "MiB resident": `${warmMib}→${mib}`,
      "times the control": mostRatio.toFixed(1),
      "ms at most": longestMs.toFixed(0),
    },
  };
}

async function sendRequests(server: Binary, slowest: Slowest): Promise<Outcome> {
  const counts: Record<string, number> = {};
  const bad: string[] = [];
  await inParallel(INPUTS, async (random) => {
    const input = mutated(requests, random);
    let behind: Promise<void> | undefined;
    const onSent = () => {
      behind = msOfControl(server).then((ms) => slowest.note(input, ms));
    };
    for (const status of await statusesOf(input, server.port, onSent)) {
      counts[status] = (counts[status] ?? 0) + 1;
      // 501, 505: a transfer encoding, or a version of HTTP, that the server does not know.
      if (status >= 500 && status !== 501 && status !== 505) bad.push(`${status}: ${JSON.stringify(input)}`);
    }
    await behind;
  });
  return { bad, figures: { requests: INPUTS, statuses: JSON.stringify(counts) } };
}

async function sendFrames({ url }: Binary, slowest: Slowest): Promise<Outcome> {
  let [answered, closed] = [0, 0];
  const bad: string[] = [];
  await inParallel(INPUTS / FRAMES_EACH, async (random) => {
    using socket = await RawSubscriber.open(url, "pattern=none");
    for (let count = 0; count < FRAMES_EACH; count++) {
      const frame = mutated(frames, random);
      const startMs = performance.now();
      socket.send(frame);
      const marker = `marker ${random()}`;
      socket.send({ type: "ping", ref: marker });
      const answers = await answersUntil(socket, marker);
      slowest.note(frame, performance.now() - startMs);
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

test("mutated requests get no 5xx, do not hold up others, and harm nothing", async () => {
  const { bad, figures } = await harass(kinds.requests);
  report("mutated requests", figures);
  expect(bad).toEqual([]);
}, 3_600_000);

test("mutated frames get an answer each, or a documented close, hold up no others, and harm nothing", async () => {
  const { bad, figures } = await harass(kinds.frames);
  report("mutated frames", figures);
  expect(bad).toEqual([]);
}, 3_600_000);

test.each(["requests", "frames"] as const)(
  "mutated %s find a server that has an internal error, and blocks its loop",
  async (kind) => {
    const { bad } = await harass(kinds[kind], "brittle");
    expect(bad.join("\n")).toMatch(/^(500|internal): /m);
    expect(bad.join("\n")).toMatch(/^slow, /m);
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
