import { expect, test } from "bun:test";
import { describeWith } from "../helpers/requires.ts";
import { Random } from "../model/random.ts";
import { type Disaster, disasterNamed } from "./model/disasters.ts";
import { run } from "./model/run.ts";

/** `EVENTBUS_TEST_SEED` repeats a run; without it, each run differs. */
const seed = Number(process.env["EVENTBUS_TEST_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
/** `EVENTBUS_TEST_DISASTERS` says how many there are, or which: `kill a node:20,kill a follower:5`. */
const asked = process.env["EVENTBUS_TEST_DISASTERS"] ?? "6";
const disasters = asked.includes(":") ? shuffled(asked) : Number(asked);
/** Paths of an older program and nats-server, with which the test of updates begins; default: the current ones. */
const from = {
  program: process.env["EVENTBUS_TEST_UPDATE_FROM"],
  nats: process.env["EVENTBUS_TEST_UPDATE_NATS_FROM"],
};
const total = typeof disasters === "number" ? disasters : disasters.length;

describeWith("nats-server", "a cluster", () => {
  test(
    "has every acknowledged event once, and all nodes have the same history, whatever fails",
    async () => {
      const seen: string[] = [];
      const { breach, events, acknowledged } = await run({
        seed,
        disasters,
        onDisaster: (disaster) => {
          seen.push(disaster);
          if (total > 10) console.error(`${seen.length} of ${total}: ${disaster} (seed ${seed})`);
        },
      });
      console.error(`${events} events, ${acknowledged} acknowledged: ${seen.join(", ")} (seed ${seed})`);
      expect(breach && `EVENTBUS_TEST_SEED=${seed} EVENTBUS_TEST_DISASTERS="${asked}": ${breach}`).toBeUndefined();
      expect(acknowledged).toBeGreaterThan(0);
    },
    24 * 3600 * 1000,
  );

  test("keeps its promises while everything is updated, one after another", async () => {
    const { breach } = await run({ seed, disasters: ["update everything, one after another"], from });
    expect(breach && `EVENTBUS_TEST_SEED=${seed}: ${breach}`).toBeUndefined();
  });
});

/** As many of each as the text says, in the order of the seed. */
function shuffled(text: string): readonly Disaster[] {
  const random = new Random(seed);
  const all = text.split(",").flatMap((part) => {
    const [name = "", times] = part.split(":");
    return Array.from({ length: Number(times) }, () => disasterNamed(name));
  });
  return all
    .map((disaster) => ({ disaster, at: random.fraction() }))
    .toSorted((a, b) => a.at - b.at)
    .map((one) => one.disaster);
}
