import type { Bench, Context, Row } from "../lib/bench.ts";
import { Program } from "../lib/program.ts";
import { busyNote, serverBusy, takeTurns, using } from "../lib/rounds.ts";
import { Server } from "../lib/server.ts";
import { maximum, percentile } from "../lib/stats.ts";
import { makeTokenFile } from "../lib/token-file.ts";
import type { CrowdCommands } from "../load/crowd.ts";
import type { SteadyCommands } from "../load/steady.ts";

const CLIENTS = 50;
const RATE = 200;
const CONNECTIONS = 16;
/** Patterns of a subscription: enough to make accepting it real work. */
const PATTERNS = 60;

export const crowd: Bench = {
  name: "crowd",
  title: "One publisher beside a crowd",
  about:
    `${CLIENTS} clients send requests flat out, while one publisher publishes ${RATE} events a second by the clock ` +
    `(${CONNECTIONS} connections). Each client opens a new connection for each request, or writes 2,000 requests at ` +
    "once whenever it can. A server that first responds to everything that has arrived never gets to the publisher. " +
    "A round gives the 99th percentile of the time from when an event is due to its acknowledgement. The control is " +
    "the same crowd with the same requests, one by one on connections that stay; a subscription that leaves is " +
    "compared to one that is rejected for not being a WebSocket.",
  run,
};

interface Load {
  readonly name: string;
  readonly request: string;
  readonly how: "new" | "pipelined";
  /** What the control asks; the same when left out. */
  readonly kept?: string;
  /** The server has a token, which the publisher sends and the crowd does not. */
  readonly isGuarded?: boolean;
}

const loads: readonly Load[] = [
  { name: "new connections for the OpenAPI document", how: "new", request: get("/swagger/json") },
  { name: "new connections for what is not there", how: "new", request: get("/nothing") },
  { name: "new connections without a token", how: "new", request: get("/api/events/history"), isGuarded: true },
  { name: "subscriptions that leave", how: "new", request: subscription(true), kept: subscription(false) },
  { name: "pipelined health checks", how: "pipelined", request: get("/healthz") },
  {
    name: "pipelined requests without a token",
    how: "pipelined",
    request: get("/api/events/history"),
    isGuarded: true,
  },
];

interface Waits {
  readonly timesMs: readonly number[];
  readonly answersPerSecond: number;
  readonly serverBusy: number;
  readonly generatorBusy: number;
}

async function run(context: Context): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const load of loads) rows.push(await rowOf(context, load));
  return rows;
}

async function rowOf(context: Context, load: Load): Promise<Row> {
  const { kept, crowded } = await takeTurns(context, {
    kept: () => measure(context, load, "kept"),
    crowded: () => measure(context, load, load.how),
  });
  const nines = (rounds: readonly Waits[]) => rounds.map(({ timesMs }) => percentile(timesMs, 0.99));
  const longest = (rounds: readonly Waits[]) => maximum(rounds.flatMap(({ timesMs }) => timesMs)).toFixed(0);
  const answers = (rounds: readonly Waits[]) =>
    rounds.map(({ answersPerSecond }) => (answersPerSecond / 1000).toFixed(1)).join(", ");
  return {
    name: `99th percentile of a publish beside ${load.name}`,
    unit: "ms",
    values: nines(crowded),
    control: { name: "one by one on connections that stay", values: nines(kept) },
    target: { of: "ratio", is: "at most", bound: 3 },
    notes: [
      `longest ${longest(crowded)} ms, control ${longest(kept)} ms`,
      `thousand responses a second to the crowd: ${answers(crowded)}; control ${answers(kept)}`,
      busyNote("ours", crowded),
    ],
  };
}

async function measure(context: Context, load: Load, how: "kept" | Load["how"]): Promise<Waits> {
  const tokens = load.isGuarded === true ? await makeTokenFile(context, 1, 1) : undefined;
  const flags = tokens === undefined ? [] : ["--db", tokens.path];
  const [token] = tokens?.secrets ?? [];
  return using(Server.eventbus(context, flags), (server) =>
    using(new Program<CrowdCommands>("crowd", context.folder), (crowded) =>
      using(new Program<SteadyCommands>("steady", context.folder), async (steady) => {
        const { warmupSeconds, windowSeconds } = context;
        const publish = {
          port: server.port,
          rate: RATE,
          connections: CONNECTIONS,
          ...(token !== undefined && { token }),
        };
        // Not measured: in its first seconds, a process is busy compiling.
        await steady.ask("publish", { ...publish, seconds: warmupSeconds });
        const request = how === "kept" ? (load.kept ?? load.request) : load.request;
        const seconds = warmupSeconds + windowSeconds + 1;
        const asking = crowded.ask("ask", { port: server.port, clients: CLIENTS, request, how, seconds });
        await Bun.sleep(warmupSeconds * 1000);
        const [{ answeredMs }, busy] = await Promise.all([
          steady.ask("publish", { ...publish, seconds: windowSeconds }),
          serverBusy(server, { ...context, warmupSeconds: 0 }),
        ]);
        return { timesMs: answeredMs, serverBusy: busy, ...(await asking) };
      }),
    ),
  );
}

function get(path: string, headers: readonly string[] = []): string {
  return `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${headers.map((header) => `${header}\r\n`).join("")}\r\n`;
}

function subscription(isUpgrade: boolean): string {
  const patterns = Array.from({ length: PATTERNS }, (_, index) => `pattern=site${index}.*[a-c]*${index}`);
  const upgrade = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"];
  const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
  return get(`/api/events/subscribe?${patterns.join("&")}`, isUpgrade ? [...upgrade, key] : []);
}
