import type { Bench, Context, Row } from "../lib/bench.ts";
import { fill } from "../lib/history-file.ts";
import { TokenMaker } from "../lib/jwt.ts";
import { perSecond, publisher, receiver, SMALL_EVENT } from "../lib/load.ts";
import { openFilesLimit } from "../lib/machine.ts";
import { Program } from "../lib/program.ts";
import { busyNote, percent, serverBusy, type Throughput, takeTurns, using } from "../lib/rounds.ts";
import { Server } from "../lib/server.ts";
import { maximum, median } from "../lib/stats.ts";
import { show } from "../lib/verdict.ts";
import type { ConnectCommands } from "../load/connect.ts";
import { siteCount } from "../load/requests.ts";
import type { SteadyCommands } from "../load/steady.ts";

const TOPICS = 100_000;
const SOCKETS = siteCount(TOPICS);
const FEW_SOCKETS = 10;
/** Files that server and client need besides the sockets. */
const SPARE_FILES = 1500;
const CONNECTIONS = 64;
const CONNECT_RATE = 1000;
const CONNECT_SECONDS = 5;
/** How many of those that come and go are open at a time: each stays for half a second. */
const KEPT = 500;
const PUBLISH_RATE = 500;
const PUBLISH_CONNECTIONS = 16;

export const manyPatterns: Bench = {
  name: "many-patterns",
  title: "Many patterns",
  about:
    "10,000 WebSockets subscribe to one pattern each (`site17.*`), and 64 connections publish one small event per " +
    "request to topics at random among 100,000, so that each event is for one socket. Each topic was published to " +
    "once before, so that both servers meet as many new ones: none. Then " +
    "the same with the pattern `*` for all and one JSON Web Token each, whose scope is that pattern. Publishes are " +
    "counted; the control is the same with 10 such sockets. Matching each topic against every pattern costs a " +
    "hundredfold here, and a cache by topic hides that only while there are few topics. Afterwards each socket must " +
    "have received its events once, in order. The minimal server of the publish benches sends to such sockets, too; the " +
    "notes have its figures. The last rows: 1,000 WebSockets a second come and go, with patterns or " +
    "scopes that are new to the server, beside 9,500 that stay, while 500 events/s are published by the clock. A " +
    "round gives the longest wait from when an event is due to its acknowledgement; the control is the same without " +
    "these connects. This server does not fsync (`--durability os`): each round has some thousand fsyncs, and the " +
    "slowest of them would decide, with connects and without. The notes have the waits with fsync. Publishers, " +
    "readers and connecting sockets share one core, and wait for it too.",
  run,
};

/** How a socket is limited to a site: by its pattern, or by the scope of its token. */
type Limit = "pattern" | "scope";

async function run(context: Context): Promise<readonly Row[]> {
  const sockets = Math.min(context.isQuick ? SOCKETS / 10 : SOCKETS, openFilesLimit() - SPARE_FILES);
  const turns = await takeTurns(context, {
    fewPatterns: () => measure(context, "pattern", FEW_SOCKETS),
    patterns: () => measure(context, "pattern", sockets),
    fewScopes: () => measure(context, "scope", FEW_SOCKETS),
    scopes: () => measure(context, "scope", sockets),
    fewMinimal: () => measureMinimal(context, FEW_SOCKETS),
    minimal: () => measureMinimal(context, sockets),
    patternConnects: () => measureConnects(context, "pattern", sockets, "os"),
    scopeConnects: () => measureConnects(context, "scope", sockets, "os"),
    syncedPatterns: () => measureConnects(context, "pattern", sockets, "fsync"),
    syncedScopes: () => measureConnects(context, "scope", sockets, "fsync"),
  });
  const many = sockets.toLocaleString("en");
  const minimal = minimalNote(turns.minimal, turns.fewMinimal);
  return [
    throughputRow(`HTTP publish to ${many} sockets of a pattern each`, turns.patterns, turns.fewPatterns, minimal),
    throughputRow(`HTTP publish to ${many} sockets of a JWT scope each`, turns.scopes, turns.fewScopes, minimal),
    connectRow("patterns", turns.patternConnects, turns.syncedPatterns),
    connectRow("JWT scopes", turns.scopeConnects, turns.syncedScopes),
  ];
}

/** What writing to so many sockets costs a server that does nothing else for them. */
function minimalNote(many: readonly Delivered[], few: readonly Delivered[]): string {
  const [ours, control] = [many, few].map((rounds) => median(perSecond(rounds)));
  return (
    `the minimal server, which finds the socket by one look-up: ${show(ours ?? 0)} events/s, ` +
    `to ${FEW_SOCKETS} sockets ${show(control ?? 0)}, ratio ${show((ours ?? 0) / (control ?? 1))}`
  );
}

function throughputRow(name: string, many: readonly Delivered[], few: readonly Delivered[], minimal: string): Row {
  const readers = percent(median(many.map(({ readerBusy }) => readerBusy)));
  return {
    name,
    unit: "events/s",
    values: perSecond(many),
    control: { name: `to ${FEW_SOCKETS} such sockets`, values: perSecond(few) },
    target: { of: "ratio", is: "at least", bound: 0.7 },
    notes: [
      "each event came once to its socket, in order",
      `${busyNote("ours", many)}; the sockets' reading ${readers}`,
      busyNote("control", few),
      minimal,
    ],
  };
}

function connectRow(name: string, rounds: readonly Connects[], synced: readonly Connects[]): Row {
  const longest = (some: readonly Connects[], of: (round: Connects) => readonly number[]) =>
    some.map((round) => maximum(of(round)));
  const ofConnecting = ({ connectingMs }: Connects) => connectingMs;
  const ofStill = ({ stillMs }: Connects) => stillMs;
  const rate = show(median(rounds.map(({ connectsPerSecond }) => connectsPerSecond)));
  const busy = percent(median(rounds.map(({ generatorBusy }) => generatorBusy)));
  return {
    name: `longest wait of a publish while 1,000 sockets a second connect, ${name}`,
    unit: "ms",
    values: longest(rounds, ofConnecting),
    control: { name: "without them", values: longest(rounds, ofStill) },
    target: { of: "value", is: "at most", bound: 20 },
    notes: [
      `with an fsync for each commit: ${show(median(longest(synced, ofConnecting)))} ms, and without the connects ` +
        `${show(median(longest(synced, ofStill)))} ms`,
      `${rate} connects/s were accepted; the connecting program used ${busy} of the load's core`,
    ],
    timesMs: {
      ours: rounds.flatMap(ofConnecting),
      "without them": rounds.flatMap(ofStill),
    },
  };
}

/** One socket for each of the first sites, and a token to publish with when there are scopes. */
class Audience {
  readonly flags: readonly string[];
  /** To publish with; none without scopes. */
  readonly tokens: readonly string[];
  readonly #maker = new TokenMaker();
  readonly #limit: Limit;

  constructor(limit: Limit, sockets: number) {
    this.#limit = limit;
    const isScoped = limit === "scope";
    this.tokens = isScoped ? [this.#maker.make({ publish: ["*"] })] : [];
    this.flags = [
      ...["--max-connections", String(sockets + CONNECT_RATE)],
      ...(isScoped ? ["--jwt-secret", this.#maker.secret] : []),
    ];
  }

  paths(from: number, to: number): string[] {
    return Array.from({ length: to - from }, (_, index) => this.#path(`site${from + index}.*`));
  }

  #path(pattern: string): string {
    return this.#limit === "pattern"
      ? `/api/events/subscribe?pattern=${pattern}`
      : `/api/events/subscribe?access_token=${this.#maker.make({ subscribe: [pattern] })}`;
  }
}

interface Delivered extends Throughput {
  readonly readerBusy: number;
}

function measure(context: Context, limit: Limit, sockets: number): Promise<Delivered> {
  const audience = new Audience(limit, sockets);
  return using(Server.eventbus(context, audience.flags), async (server) => {
    const topics = topicsFor(sockets);
    // Else the faster of both would meet fewer new topics while it is measured, and each is a row and two index entries.
    await fill(context, server, topics, { topics, sources: 0 }, audience.tokens);
    return measureOn(context, server, audience, sockets);
  });
}

function measureMinimal(context: Context, sockets: number): Promise<Delivered> {
  const audience = new Audience("pattern", sockets);
  return using(Server.control(context, "minimal-bus"), (server) => measureOn(context, server, audience, sockets));
}

/** Topics such that each is of one of the sockets; all of them if there are few. */
function topicsFor(sockets: number): number {
  return sockets === FEW_SOCKETS ? TOPICS : sockets * (TOPICS / SOCKETS);
}

function measureOn(context: Context, server: Server, audience: Audience, sockets: number): Promise<Delivered> {
  const { warmupSeconds, windowSeconds } = context;
  return using(receiver(context), (received) =>
    using(publisher(context), async (published) => {
      const { port } = server;
      const paths = audience.paths(0, sockets);
      await received.ask("open", { port, transport: "websocket", path: "", sockets, paths });
      const body = { ...SMALL_EVENT, topics: topicsFor(sockets), tokens: audience.tokens };
      const load = { port, connections: CONNECTIONS, body };
      const [result, busy, reading] = await Promise.all([
        published.ask("publish", { ...load, warmupSeconds, windowSeconds }),
        serverBusy(server, context),
        received.ask("measure", { seconds: warmupSeconds + windowSeconds }),
      ]);
      const { events, disorder } = await received.ask("settled");
      if (disorder !== "") throw new Error(`out of order: ${disorder}`);
      if (sockets > FEW_SOCKETS && events !== result.eventsInAll) {
        throw new Error(`${result.eventsInAll} events were published, and ${events} arrived`);
      }
      return { ...result, serverBusy: busy, readerBusy: reading.generatorBusy };
    }),
  );
}

interface Connects {
  readonly stillMs: readonly number[];
  readonly connectingMs: readonly number[];
  readonly connectsPerSecond: number;
  readonly generatorBusy: number;
}

function measureConnects(
  context: Context,
  limit: Limit,
  sockets: number,
  durability: "os" | "fsync",
): Promise<Connects> {
  const audience = new Audience(limit, sockets);
  const staying = sockets - KEPT;
  const seconds = context.isQuick ? 2 : CONNECT_SECONDS;
  return using(Server.eventbus(context, [...audience.flags, "--durability", durability]), (server) =>
    using(receiver(context), (received) =>
      using(new Program<SteadyCommands>("steady", context.folder), (steady) =>
        using(new Program<ConnectCommands>("connect", context.folder), async (connecting) => {
          const { port } = server;
          const paths = audience.paths(0, staying);
          await received.ask("open", { port, transport: "websocket", path: "", sockets: staying, paths });
          const [token] = audience.tokens;
          const load = { port, rate: PUBLISH_RATE, connections: PUBLISH_CONNECTIONS, topics: TOPICS, token };
          // Not measured: in its first seconds, a process is busy compiling.
          await steady.ask("publish", { ...load, seconds: context.warmupSeconds });
          const { answeredMs: stillMs } = await steady.ask("publish", { ...load, seconds });
          const fresh = audience.paths(staying, staying + seconds * CONNECT_RATE);
          const [{ answeredMs: connectingMs }, connected] = await Promise.all([
            steady.ask("publish", { ...load, seconds }),
            connecting.ask("connect", { port, paths: fresh, rate: CONNECT_RATE, seconds, kept: KEPT }),
          ]);
          return { stillMs, connectingMs, ...connected };
        }),
      ),
    ),
  );
}
