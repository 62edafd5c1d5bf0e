import { describe, expect, test } from "bun:test";
import { MAX_TURN_MS, TURN_MS, TURN_REQUESTS, Turns } from "../../../src/http/limits/turns.ts";

/** Work that notes the turn it was done in; each takes `tookMs` of a clock that nothing else moves. */
function setUp({ tookMs = 0, part = 0 } = {}) {
  let nowMs = 0;
  const done: number[] = [];
  const turns = new Turns({ nowMs: () => nowMs, part });
  const work = (index: number) => () => {
    nowMs += tookMs;
    done.push(index);
    return index;
  };
  const pass = (ms: number) => {
    nowMs += ms;
  };
  return { turns, work, done, pass };
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));
const range = (count: number) => Array.from({ length: count }, (_, index) => index);

describe("a turn of the loop", () => {
  test("does at once what it has room for, and the rest in later turns, in order", async () => {
    const { turns, work, done } = setUp();
    const results = range(TURN_REQUESTS * 3).map((index) => turns.run(work(index)));
    expect(done).toEqual(range(TURN_REQUESTS));
    expect(await Promise.all(results)).toEqual(range(TURN_REQUESTS * 3));
    expect(done).toEqual(range(TURN_REQUESTS * 3));
  });

  test("serves everything else between two portions", async () => {
    const { turns, work, done } = setUp();
    const results = range(TURN_REQUESTS * 4).map((index) => turns.run(work(index)));
    const seen: number[] = [];
    while (done.length < results.length) {
      await nextTurn();
      seen.push(done.length);
    }
    const portions = seen.map((count, index) => count - (seen[index - 1] ?? TURN_REQUESTS));
    expect(Math.max(...portions)).toBeLessThanOrEqual(TURN_REQUESTS);
    await Promise.all(results);
  });

  test("has no room left once its time is over, but does one thing at least", async () => {
    const { turns, work, done } = setUp({ tookMs: TURN_MS });
    const results = range(5).map((index) => turns.run(work(index)));
    expect(done).toEqual([0]);
    await Promise.all(results);
    expect(done).toEqual(range(5));
  });

  test("lets nothing overtake what waits", async () => {
    const { turns, work, done } = setUp();
    const first = turns.later(work(1));
    const second = turns.run(work(2));
    expect(done).toEqual([]);
    await Promise.all([first, second]);
    expect(done).toEqual([1, 2]);
  });

  test("has room again after one in which nothing waited", async () => {
    const { turns, work, done } = setUp();
    for (const index of range(TURN_REQUESTS)) turns.run(work(index));
    await nextTurn();
    await nextTurn();
    turns.run(work(-1));
    expect(done.at(-1)).toBe(-1);
  });

  test("drops work of clients that have left, without using up the turn", async () => {
    const { turns, work, done } = setUp();
    const gone = new AbortController();
    const results = range(TURN_REQUESTS * 3).map((index) =>
      turns.later(work(index), gone).catch((error: Error) => error.name),
    );
    const last = turns.later(work(-1), new AbortController());
    gone.abort();
    await nextTurn();
    expect(done).toEqual([-1]);
    expect(new Set(await Promise.all(results))).toEqual(new Set(["AbortError"]));
    expect(await last).toBe(-1);
  });

  test("passes on what the work throws, at once or later", async () => {
    const { turns } = setUp();
    const fail = () => {
      throw new Error("failed");
    };
    expect(() => turns.run(fail)).toThrow("failed");
    const messages = [turns.later(fail), turns.later(async () => fail())].map((result) =>
      result.catch((error: Error) => error.message),
    );
    expect(await Promise.all(messages)).toEqual(["failed", "failed"]);
  });

  test.each([
    [100, MAX_TURN_MS],
    [8, 2],
    [2, 1],
  ])(
    "after %d ms of everything else, has room for %d steps of a millisecond, if it has a part of that",
    async (othersMs, steps) => {
      const { turns, done, pass } = setUp({ part: 1 / 4 });
      let isOver = false;
      const page = async () => {
        while (!isOver) {
          await turns.later(() => {});
          pass(TURN_MS);
          done.push(done.length);
        }
      };
      const pages = page();
      const counts: number[] = [];
      // An immediate of everything else comes before those of the turn, or behind them.
      for (let turn = 0; turn < 6; turn++) {
        await nextTurn();
        pass(othersMs);
        counts.push(done.length);
      }
      isOver = true;
      await pages;
      expect(counts.slice(2).map((count, index) => count - (counts[index + 1] ?? 0))).toEqual(Array(4).fill(steps));
    },
  );
});
