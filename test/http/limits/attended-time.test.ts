import { expect, test } from "bun:test";
import { AttendedTime } from "../../../src/http/limits/attended-time.ts";
import { FakeClock } from "../../helpers/clock.ts";

test("the clock stops while the process is suspended, and continues afterwards", () => {
  const clock = new FakeClock();
  const time = new AttendedTime(clock.read);
  const startMs = time.nowMs;
  clock.advance(1999);
  expect(time.nowMs - startMs).toBe(1999);
  clock.advance(75_000);
  expect(time.nowMs - startMs).toBe(1999);
  clock.advance(500);
  expect(time.nowMs - startMs).toBe(2499);
});
