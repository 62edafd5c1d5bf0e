import { describe, expect, test } from "bun:test";
import { runCases } from "./run.ts";
import { busSabotages, codeSabotages } from "./sabotage.ts";

/** A fault that takes more cases than this to be seen, of the thousands that run, would be one that is never seen. */
const MAX_CASES = 2000;
/** A reader that waits in vain for this long, in milliseconds, is taken for lost. */
const PATIENCE_MS = 500;

describe("the model sees it when", () => {
  test.each(Object.entries(busSabotages))(
    "%s",
    async (_, makeBus) => {
      const failure = await runCases(1, MAX_CASES, { makeBus, patienceMs: PATIENCE_MS });
      expect(failure?.breach).toBeString();
    },
    240_000,
  );

  test.each(Object.entries(codeSabotages))(
    "%s",
    async (_, sabotage) => {
      const undo = sabotage();
      try {
        const failure = await runCases(1, MAX_CASES, { patienceMs: PATIENCE_MS });
        expect(failure?.breach).toBeString();
      } finally {
        undo();
      }
    },
    240_000,
  );
});
