import { expect, test } from "bun:test";
import { Binary } from "../helpers/binary.ts";
import { wholeHistory } from "../helpers/http.ts";
import { Load, randomFrom } from "../helpers/load.ts";
import { TempFolder } from "../helpers/temp.ts";

const KILLS = Number(process.env["EVENTBUS_TEST_KILLS"] ?? 100);
const PRUNED_KILLS = Math.ceil(KILLS / 5);
const MAX_HISTORY = 500;
const SEED = Number(process.env["EVENTBUS_TEST_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
/** Acknowledged events after which a server is killed, at the most. A few rounds in a hundred see none. */
const MAX_EVENTS_A_LIFE = 1500;
const PUBLISHERS = { single: 4, many: 2, keyed: 2 };
/** Time for one life, far beyond what it takes, in milliseconds. */
const LIFE_MS = 5000;

/** Lets as many servers live on one file as there are to be killed; looks at what some of them find there. */
async function killAll(kills: number, args: readonly string[], look: (load: Load, url: string) => Promise<void>) {
  console.log(`EVENTBUS_TEST_SEED=${SEED} EVENTBUS_TEST_KILLS=${KILLS}`);
  using folder = TempFolder.onDisk();
  const random = randomFrom(SEED);
  const load = new Load(random);
  for (let kill = 0; kill < kills; kill++) {
    await using binary = await Binary.start({ folder: folder.path, args });
    if (kill % 10 === 0) await look(load, binary.url);
    load.start(binary.url, PUBLISHERS);
    await load.untilAcknowledged(Math.floor(random() * MAX_EVENTS_A_LIFE));
    await binary.kill();
    await load.ended();
    // A slow commit or slice is the machine's affair.
    expect(binary.stderr).not.toMatch(/ (error|fatal) | warn +(?! |slow )/);
  }
  await using binary = await Binary.start({ folder: folder.path, args });
  await look(load, binary.url);
  expect(load.problems).toEqual([]);
  console.log(`${load.acknowledged} events acknowledged, ${load.unanswered} requests without an answer`);
}

async function loseNothing(load: Load, url: string): Promise<void> {
  load.check(await wholeHistory(url));
}

async function loseNoneOfTheNewest(load: Load, url: string): Promise<void> {
  const events = await wholeHistory(url);
  load.checkNewest(events);
  expect(events.length).toBeGreaterThanOrEqual(Math.min(MAX_HISTORY, load.acknowledged));
}

test(
  `kill -9 ${KILLS} times under load loses nothing that was acknowledged, and doubles nothing`,
  () => killAll(KILLS, ["--max-history", "off"], loseNothing),
  LIFE_MS * (KILLS + 1),
);

test(
  `kill -9 ${PRUNED_KILLS} times under load and pruning loses none of the newest`,
  () => killAll(PRUNED_KILLS, ["--max-history", `${MAX_HISTORY}`, "--prune-interval", "100ms"], loseNoneOfTheNewest),
  LIFE_MS * (PRUNED_KILLS + 1),
);
