import { describe, expect, test } from "bun:test";
import { anybody } from "../../../src/bus/access/principal.ts";
import { PublishRates, rateKey } from "../../../src/http/limits/publish-rates.ts";
import { busErrorOf } from "../../helpers/bus-error.ts";

/** Rates over a clock that stands still until it is moved. */
function ratesAt(perSecond: number) {
  const clock = { nowMs: 0 };
  return { clock, rates: new PublishRates(perSecond, () => clock.nowMs) };
}

describe("a publisher", () => {
  test("may publish a second's worth at once, and no more", () => {
    const { rates } = ratesAt(3);
    for (let count = 0; count < 3; count++) rates.take("a", 1);
    const error = busErrorOf(() => rates.take("a", 1));
    expect(error.code).toBe("rate_limited");
    expect(error.members).toEqual({ limit: 3 });
  });

  test("gets one back each time its part of a second has gone by", () => {
    const { rates, clock } = ratesAt(4);
    rates.take("a", 4);
    clock.nowMs = 249;
    busErrorOf(() => rates.take("a", 1));
    clock.nowMs = 250;
    rates.take("a", 1);
    busErrorOf(() => rates.take("a", 1));
  });

  test("has no more than a second's worth after a long time", () => {
    const { rates, clock } = ratesAt(2);
    rates.take("a", 1);
    clock.nowMs = 1_000_000;
    rates.take("a", 2);
    busErrorOf(() => rates.take("a", 1));
  });

  test("does not pay for what was rejected, nor for others", () => {
    const { rates } = ratesAt(2);
    busErrorOf(() => rates.take("a", 3));
    rates.take("a", 2);
    rates.take("b", 2);
  });
});

test("publishers that were silent for a second are forgotten", () => {
  const { rates, clock } = ratesAt(1);
  for (let index = 0; index < 1000; index++) rates.take(`a${index}`, 1);
  expect(rates.size).toBe(1000);
  clock.nowMs = 1000;
  rates.take("b", 1);
  expect(rates.size).toBe(1);
});

test("the memory for publishers is bounded", () => {
  const { rates } = ratesAt(1);
  for (let index = 0; index < 150_000; index++) rates.take(`a${index}`, 1);
  expect(rates.size).toBe(100_000);
  busErrorOf(() => rates.take("a149999", 1));
});

test.each([
  ["10.0.0.1", "10.0.0.1"],
  ["::ffff:10.0.0.1", "10.0.0.1"],
  ["::1", "0:0:0:0::/64"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:db8:1:2::9", "2001:db8:1:2::/64"],
  ["2001:db8::9", "2001:db8:0:0::/64"],
  ["fe80::1:2:3:4", "fe80:0:0:0::/64"],
  [undefined, ""],
])("%p is counted as %p", (address, key) => {
  expect(rateKey(anybody, address)).toBe(key);
});

test("a caller with a token is counted by its name, whatever its address", () => {
  const shop = { ...anybody, name: "token 10.0.0.1" };
  for (const address of ["10.0.0.1", "10.0.0.2", undefined]) expect(rateKey(shop, address)).toBe("token 10.0.0.1");
});
