import { expect, test } from "bun:test";
import type { EventMessage } from "../../src/protocol/event.ts";
import { Binary } from "../helpers/binary.ts";
import { wholeHistory } from "../helpers/http.ts";
import { Load, randomFrom } from "../helpers/load.ts";
import { report, rounds, SEED } from "../helpers/rounds.ts";
import { TempFolder } from "../helpers/temp.ts";
import { Following, type Transport } from "./lib/following.ts";
import { type Cheat, startServer } from "./lib/server.ts";

const KILLS = rounds(50, 10_000);
/** A kill finds a cheat only at the right moment. The first one found ends the test. */
const CHEATING_KILLS = 40;
const TRANSPORTS: readonly Transport[] = ["websocket", "events", "lines"];
const SUBSCRIBERS_EACH = 3;
const PUBLISHERS = { single: 3, many: 2, keyed: 2, socket: 2 };
/** Acknowledged events after which a server is killed, at the most. */
const MAX_EVENTS_A_LIFE = 800;
/** Time for one life, far beyond what it takes, in milliseconds. */
const LIFE_MS = 5000;
/** Lives after which what is kept is compared with what was acknowledged, and once more after the last. */
const LIVES_BETWEEN_LOOKS = Math.max(10, KILLS / 50);
const MAX_HISTORY = 500;
/**
 * A kill between two writes of one commit leaves its frame torn, and the next start says so. What was acknowledged is
 * compared anyway. Other warnings are faults, but a slow commit or slice is due to the machine.
 */
const TORN_LAST_COMMIT =
  / warn +the history was opened, with a warning detail=.*its frame \d+ is torn or damaged, and its last commit is omitted: .*/g;
/** How long a subscriber may take to reach the newest event, in milliseconds. Not a promise. */
const CATCH_UP_MS = 20_000;

interface Options {
  readonly kills: number;
  readonly args: readonly string[];
  readonly cheat?: Cheat;
}

/**
 * Kills this many servers, one after another, on one file, under publishers and subscribers of every transport that
 * resume, with backups; then compares what was acknowledged, delivered and kept.
 */
async function killAll({ kills, args, cheat }: Options): Promise<{ load: Load; followings: readonly Following[] }> {
  using folder = TempFolder.onDisk();
  const options = { folder: folder.path, args };
  const random = randomFrom(SEED);
  const load = new Load(random);
  const followings = TRANSPORTS.flatMap((transport) =>
    Array.from({ length: SUBSCRIBERS_EACH }, () => new Following(transport)),
  );
  for (let kill = 0; kill < kills; kill++) {
    await using server = await startServer(options, cheat);
    if (kill % LIVES_BETWEEN_LOOKS === 0) {
      const events = await wholeHistory(server.url);
      check(load, events);
      checkReceived(followings, events);
    }
    const reading = followings.map((following) => following.readFrom(server.url));
    const copying = fetch(`${server.url}/api/backup`).then((response) => response.arrayBuffer());
    copying.catch(() => {});
    load.start(server.url, PUBLISHERS);
    await load.untilAcknowledged(Math.floor(random() * MAX_EVENTS_A_LIFE));
    await server.kill();
    await Promise.all([load.ended(), ...reading]);
    expect(server.stderr.replace(TORN_LAST_COMMIT, "")).not.toMatch(/ (error|fatal) | warn +(?! |slow )/);
  }
  await using last = await Binary.start(options);
  const events = await wholeHistory(last.url);
  check(load, events);
  await checkFollowings(followings, last.url, events);
  return { load, followings };
}

function check(load: Load, events: readonly EventMessage[]): void {
  if ((events[0]?.id ?? 1) === 1) load.check(events);
  else {
    load.checkNewest(events);
    expect(events.length).toBeGreaterThanOrEqual(MAX_HISTORY);
  }
}

/** Fails unless each has received every event up to the newest, once and in order, or a gap in its place. */
async function checkFollowings(followings: readonly Following[], url: string, events: readonly EventMessage[]) {
  const head = events.at(-1)?.id ?? 0;
  const readings = followings.map((following) => following.readUpTo(head, url));
  await Promise.race([Promise.all(readings), Bun.sleep(CATCH_UP_MS)]);
  checkReceived(followings, events);
  const ends = followings.map(({ transport, position }) => ({ transport, position }));
  expect(ends).toEqual(followings.map(({ transport }) => ({ transport, position: head })));
}

/** Fails unless each has received what is kept, as far as it has come; what was compared is forgotten. */
function checkReceived(followings: readonly Following[], events: readonly EventMessage[]): void {
  const kept = new Map(events.map(({ id, data }) => [id, data]));
  for (const following of followings) {
    const { transport, faults, received } = following;
    const wrong = [...received].filter(([id, data]) => kept.has(id) && kept.get(id) !== data);
    expect({ transport, faults, wrong }).toEqual({ transport, faults: [], wrong: [] });
    following.forget();
  }
}

for (const [what, args] of [
  ["", ["--max-history", "off"]],
  [" and pruning", ["--max-history", `${MAX_HISTORY}`, "--prune-interval", "100ms"]],
] as const) {
  test(
    `kill -9 ${KILLS} times under load${what} loses nothing, and every subscriber has every event once, in order`,
    async () => {
      const { load, followings } = await killAll({ kills: KILLS, args });
      const delivered = followings.reduce((sum, following) => sum + following.delivered, 0);
      const gaps = followings.reduce((sum, following) => sum + following.gaps, 0);
      report(`kill -9${what}`, { kills: KILLS, acknowledged: load.acknowledged, delivered, gaps });
      expect(load.problems).toEqual([]);
    },
    LIFE_MS * (KILLS + 1) + 60_000,
  );
}

test.each([
  ["answers before its commit", "late"],
  ["hands over from history to live a turn too late", "hand-over"],
  ["leaves out events of a replay", "sweep"],
] as const)("a server that %s is found out", async (_, cheat) => {
  const error: unknown = await killAll({ kills: CHEATING_KILLS, args: ["--max-history", "off"], cheat }).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(String(error)).toContain("expect(received)");
});
