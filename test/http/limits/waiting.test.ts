import { describe, expect, test } from "bun:test";
import { Waiting, WaitingAccount } from "../../../src/http/limits/waiting.ts";

describe("Waiting", () => {
  test("the limit of each reader falls as more waits, and never below zero", () => {
    const waiting = new Waiting(128 * 1000);
    expect(waiting.limitBytes).toBe(1000);
    waiting.reserve(128 * 500);
    expect(waiting.limitBytes).toBe(500);
    waiting.reserve(128 * 1000);
    expect(waiting.limitBytes).toBe(0);
    waiting.release(128 * 1500);
    expect(waiting.limitBytes).toBe(1000);
  });

  test("readers that all reach their limit stay under the bound together", () => {
    const waiting = new Waiting(1_000_000);
    const accounts = Array.from({ length: 4000 }, () => new WaitingAccount(waiting));
    for (const account of accounts) account.set(waiting.limitBytes);
    expect(waiting.bytes).toBeGreaterThan(900_000);
    expect(waiting.bytes).toBeLessThanOrEqual(1_000_000);
  });

  test("an account corrects the sum by what has changed", () => {
    const waiting = new Waiting();
    const [first, second] = [new WaitingAccount(waiting), new WaitingAccount(waiting)];
    first.set(100);
    second.set(20);
    first.set(30);
    expect([waiting.bytes, first.bytes, second.bytes]).toEqual([50, 30, 20]);
    first.set(0);
    second.set(0);
    expect(waiting.bytes).toBe(0);
  });
});
