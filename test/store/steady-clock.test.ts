import { beforeEach, expect, test } from "bun:test";
import { SteadyClock } from "../../src/store/steady-clock.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

let wallMs: number;
let passedMs: number;
let steps: number[];
let steady: SteadyClock;

beforeEach(() => {
  [wallMs, passedMs, steps] = [1000 * DAY_MS, 500, []];
  steady = new SteadyClock({ onStep: (byMs) => void steps.push(byMs), clock: () => wallMs, passed: () => passedMs });
});

/** Lets time pass, and returns what the clock says then, from its beginning on. */
function after(byMs: number): number {
  wallMs += byMs;
  passedMs += byMs;
  return steady.read() - 1000 * DAY_MS;
}

test("passes as the clock does", () => {
  expect([after(10), after(DAY_MS), steps]).toEqual([10, 10 + DAY_MS, []]);
});

test("follows small corrections in both directions, silently", () => {
  wallMs += 4000;
  expect(after(0)).toBe(4000);
  wallMs -= 4500;
  expect([after(0), steps]).toEqual([-500, []]);
});

test("is not moved by a clock that is a day ahead for a while", () => {
  wallMs += DAY_MS;
  expect([after(0), after(59 * MINUTE_MS)]).toEqual([0, 59 * MINUTE_MS]);
  wallMs -= DAY_MS;
  expect([after(MINUTE_MS), steps]).toEqual([60 * MINUTE_MS, [DAY_MS, -DAY_MS]]);
});

test("follows a clock that is ahead for an hour", () => {
  wallMs += DAY_MS;
  expect([after(0), after(60 * MINUTE_MS), after(1)]).toEqual([
    0,
    DAY_MS + 60 * MINUTE_MS,
    DAY_MS + 60 * MINUTE_MS + 1,
  ]);
  expect(steps).toEqual([DAY_MS]);
});

test("follows a clock that is set back at once", () => {
  wallMs -= DAY_MS;
  expect([after(0), after(1000), steps]).toEqual([-DAY_MS, 1000 - DAY_MS, [-DAY_MS]]);
});

test("reports each step once", () => {
  for (const byMs of [DAY_MS, DAY_MS, -3 * DAY_MS]) {
    wallMs += byMs;
    after(0);
    after(1000);
  }
  expect(steps).toEqual([DAY_MS, DAY_MS, -3 * DAY_MS]);
});
