import type { Bench, Context, Row } from "../lib/bench.ts";
import { byTheClock, type Converged, converge, flatOut, liveRow, type Publishing, quiet } from "../lib/converge.ts";
import { SOCKETS } from "../lib/fan-out.ts";
import { type Spread, usingCopy } from "../lib/history-file.ts";
import { takeTurns, using } from "../lib/rounds.ts";
import { Server } from "../lib/server.ts";
import type { ReaderOptions } from "../load/follow.ts";
import { siteCount } from "../load/requests.ts";

const BEHIND = 2000;
const RATE = 1000;
const PUBLISHERS = 4;
/** How many of its own events a socket with a pattern of its own is behind. */
const OWN_BEHIND = 200;
const OWN_RATE = 5000;
/** Sockets whose patterns differ and match the same events, and how far behind they are. */
const OVERLAPPING = 100;
const OVERLAPPING_BEHIND = 10_000;
const USUAL: Spread = { topics: 1000, sources: 10 };
const WIDE: Spread = { topics: 10_000, sources: 10 };
const EVENTS = 300_000;
const GIVE_UP_SECONDS = 20;

export const resume: Bench = {
  name: "resume",
  title: "A thousand sockets resume",
  about:
    "The moment after a restart: 1,000 WebSockets connect at once, each from a position of its own 2,000 to 3,000 " +
    "events back, while publishing continues, at 1,000 events/s by the clock, then by 4 connections flat out. Then " +
    "1,000 with one pattern each, about 200 of their own events behind (200,000 of all events), at 5,000 events/s. " +
    "Then 100 with one pattern each that matches everything, 10,000 events behind; their control has one for all. " +
    "Measured is the time from the first connect until the last socket is live. Sockets that replay one by one cost " +
    "far more than the same sockets live, so a server that served them before the restart may never return to that " +
    "state. Every id is checked, and 100 of the sockets with a pattern are compared with the history. The controls " +
    "of the others are the same with nothing published. The generator reads up to some millions of frames a second " +
    "on its core.",
  run,
};

async function run(context: Context): Promise<readonly Row[]> {
  const { still, clock, flood, ownStill, ownClock, overlapping, equal } = await takeTurns(context, {
    still: () => measure(context, USUAL, everything, () => quiet),
    clock: () => measure(context, USUAL, everything, (server) => byTheClock(context, server, RATE, USUAL.topics)),
    flood: () => measure(context, USUAL, everything, (server) => flatOut(context, server, PUBLISHERS, 1)),
    ownStill: () => measure(context, WIDE, ownPattern, () => quiet),
    ownClock: () => measure(context, WIDE, ownPattern, (server) => byTheClock(context, server, OWN_RATE, WIDE.topics)),
    overlapping: () => measure(context, USUAL, overlappingPattern, () => quiet, OVERLAPPING),
    equal: () => measure(context, USUAL, equalPattern, () => quiet, OVERLAPPING),
  });
  const behind = "1,000 sockets resume 2,000 events behind";
  const ownBehind = "1,000 sockets of a pattern each resume 200 of their events behind";
  return [
    row(`${behind}, 1,000 events/s`, clock, still, 3),
    row(`${behind}, 4 publishers flat out`, flood, still, 10),
    row(`${ownBehind}, 5,000 events/s`, ownClock, ownStill, 3),
    {
      name: "100 sockets of different patterns that match the same resume 10,000 events behind: until all are live",
      unit: "s",
      values: overlapping.map(({ seconds }) => seconds),
      control: { name: "of one pattern", values: equal.map(({ seconds }) => seconds) },
      notes: [],
    },
  ];
}

function row(name: string, rounds: readonly Converged[], control: readonly Converged[], bound: number): Row {
  const maxSeconds = GIVE_UP_SECONDS;
  return liveRow({ name: `${name}: until all are live`, rounds, control, sockets: SOCKETS, bound, maxSeconds });
}

function measure(
  context: Context,
  spread: Spread,
  readerAt: (head: number, index: number) => ReaderOptions,
  publishing: (server: Server) => Publishing,
  sockets = SOCKETS,
): Promise<Converged> {
  const work = (file: string) =>
    using(Server.eventbus(context, ["--db", file]), (server) =>
      converge(context, server, {
        readers: (head) => Array.from({ length: sockets }, (_, index) => readerAt(head, index)),
        publishing: publishing(server),
        maxSeconds: GIVE_UP_SECONDS,
      }),
    );
  return usingCopy(context, EVENTS, work, spread);
}

/** A reader of everything, at a place of its own. */
function everything(head: number, index: number): ReaderOptions {
  const after = head - BEHIND - index;
  return { path: `/api/events/subscribe?since=${after}`, after };
}

/** A reader of everything, by a pattern that no other reader has. */
function overlappingPattern(head: number, index: number): ReaderOptions {
  const after = head - OVERLAPPING_BEHIND - index;
  return { path: `/api/events/subscribe?pattern=${encodeURIComponent(`{*,${index}}`)}&since=${after}`, after };
}

/** The same, by the pattern of all. */
function equalPattern(head: number, index: number): ReaderOptions {
  const after = head - OVERLAPPING_BEHIND - index;
  return { path: `/api/events/subscribe?since=${after}`, after };
}

/** A reader of a site of its own. */
function ownPattern(head: number, index: number): ReaderOptions {
  const after = head - OWN_BEHIND * siteCount(WIDE.topics) - index;
  const pattern = `site${index}.*`;
  return { path: `/api/events/subscribe?pattern=${pattern}&since=${after}`, after, pattern };
}
