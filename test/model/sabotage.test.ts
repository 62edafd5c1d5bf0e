import { describe, expect, spyOn, test } from "bun:test";
import { Scope } from "../../src/bus/scope.ts";
import { Connection } from "../../src/http/connection.ts";
import { runCases } from "./run.ts";
import { forgetBuckets, patternSabotages, sabotages } from "./sabotage.ts";

/** A fault that takes more cases than this to be seen, of the thousands that run, would be one that nobody sees. */
const MAX_CASES = 500;
/** Whoever waits in vain for so long, in milliseconds, is taken for lost. */
const PATIENCE_MS = 500;

describe("the model sees it when", () => {
  test.each(Object.entries(sabotages))(
    "%s",
    async (_, makeBus) => {
      const failure = await runCases(1, MAX_CASES, { makeBus, patienceMs: PATIENCE_MS });
      expect(failure?.breach).toBeString();
    },
    60_000,
  );

  test("nobody looks at what a token may see", async () => {
    const matches = spyOn(Scope.prototype, "matches").mockReturnValue(true);
    try {
      const failure = await runCases(1, MAX_CASES, { patienceMs: PATIENCE_MS });
      expect(failure?.breach).toMatch(/its token may not see it|the history tells/);
    } finally {
      matches.mockRestore();
    }
  }, 60_000);

  test("a bucket of interests is forgotten", async () => {
    const forgetful = forgetBuckets();
    try {
      const failure = await runCases(1, MAX_CASES, { patienceMs: PATIENCE_MS });
      expect(failure?.breach).toBeString();
    } finally {
      forgetful.mockRestore();
    }
  }, 60_000);

  test.each(Object.entries(patternSabotages))(
    "%s",
    async (_, [method, act]) => {
      const original = Connection.prototype[method];
      Connection.prototype[method] = function (this: Connection, ...change) {
        act(original.bind(this), this, ...change);
      };
      try {
        const failure = await runCases(1, MAX_CASES, { patienceMs: PATIENCE_MS });
        expect(failure?.breach).toBeString();
      } finally {
        Connection.prototype[method] = original;
      }
    },
    60_000,
  );
});
