import { expect, test } from "bun:test";
import { describeWith } from "../helpers/requires.ts";
import { run } from "./model/run.ts";

/** `EVENTBUS_TEST_SEED` repeats a run; without it another one every time. */
const seed = Number(process.env["EVENTBUS_TEST_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
/** `EVENTBUS_TEST_DISASTERS` says how long it is. */
const disasters = Number(process.env["EVENTBUS_TEST_DISASTERS"] ?? 6);

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
          if (disasters > 10) console.error(`${seen.length} of ${disasters}: ${disaster} (seed ${seed})`);
        },
      });
      console.error(`${events} events, ${acknowledged} acknowledged: ${seen.join(", ")} (seed ${seed})`);
      expect(breach && `EVENTBUS_TEST_SEED=${seed} EVENTBUS_TEST_DISASTERS=${disasters}: ${breach}`).toBeUndefined();
      expect(acknowledged).toBeGreaterThan(0);
    },
    24 * 3600 * 1000,
  );

  test("keeps its promises while everything is updated, one after another", async () => {
    const { breach } = await run({ seed, disasters: ["update everything, one after another"] });
    expect(breach && `EVENTBUS_TEST_SEED=${seed}: ${breach}`).toBeUndefined();
  }, 120_000);
});
