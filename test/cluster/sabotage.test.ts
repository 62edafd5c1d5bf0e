import { describe, expect, test } from "bun:test";
import { describeWith } from "../helpers/requires.ts";
import { run } from "./model/run.ts";
import { adoptAgain, skipAnEntry } from "./model/sabotage.ts";

// Without these, a check that detects nothing would look like a cluster without faults.
describeWith("nats-server", "the check of a cluster", () => {
  describe.each([
    ["passes over an entry", skipAnEntry],
    ["adopts an entry twice", adoptAgain],
  ])("sees it when a node %s", (_, sabotage) => {
    test("at the end", async () => {
      const { breach } = await run({ seed: 1, disasters: [], sabotage, patienceMs: 3000 });
      expect(breach).toMatch(/^the nodes (differ|have)/);
    });
  });
});
