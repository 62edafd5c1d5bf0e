import { describe, expect, test } from "bun:test";
import { busErrorCodeOf } from "../helpers/bus-error.ts";
import { type Bench, MINUTE_MS } from "./bench.ts";
import { draft, drafts, idsOf, range, readAll } from "./log-driver.ts";

/** What the port promises of pruning, and of the end. */
export function describeLifetime(bench: Bench): void {
  describe("prune", () => {
    test("keeps the newest events", async () => {
      await bench.appendFive();
      expect(await bench.log.prune({ maxHistory: 2 }, bench.clock.nowMs)).toBe(3);
      expect([bench.log.floor, bench.log.head, idsOf(readAll(bench.log))]).toEqual([4, 5, [4, 5]]);
    });

    test("keeps what is not older than the age", async () => {
      await bench.appendFive();
      expect(await bench.log.prune({ maxAgeMs: 2 * MINUTE_MS }, bench.clock.nowMs)).toBe(3);
      expect(idsOf(readAll(bench.log))).toEqual([4, 5]);
    });

    test("keeps what fits into the bytes", async () => {
      for (let index = 0; index < 40; index++) await bench.log.append([draft("a", "x".repeat(50_000))]);
      const pruned = await bench.log.prune({ maxBytes: 1_000_000 }, bench.clock.nowMs);
      expect(bench.log.size().usedBytes).toBeLessThanOrEqual(1_000_000);
      expect(pruned).toBeGreaterThan(20);
      expect(bench.log.head - bench.log.floor + 1).toBe(40 - pruned);
      expect(pruned).toBeLessThan(28);
    });

    test("removes everything rather than keep more bytes than allowed", async () => {
      await bench.appendFive();
      expect(await bench.log.prune({ maxBytes: 1 }, bench.clock.nowMs)).toBe(5);
      expect([bench.log.floor, bench.log.head]).toEqual([6, 5]);
    });

    test("follows the strictest of several rules", async () => {
      await bench.appendFive();
      const rules = { maxHistory: 4, maxAgeMs: 2 * MINUTE_MS, maxBytes: 100_000_000 };
      expect(await bench.log.prune(rules, bench.clock.nowMs)).toBe(3);
      expect(await bench.log.prune({ ...rules, maxHistory: 1 }, bench.clock.nowMs)).toBe(1);
      expect(bench.log.floor).toBe(5);
    });

    test("removes nothing without rules, or with rules that are met", async () => {
      await bench.appendFive();
      expect(await bench.log.prune({}, bench.clock.nowMs)).toBe(0);
      const wide = { maxHistory: 5, maxAgeMs: 5 * MINUTE_MS, maxBytes: 100_000_000 };
      expect(await bench.log.prune(wide, bench.clock.nowMs)).toBe(0);
      expect(bench.log.floor).toBe(1);
    });

    test("does not give an id again when everything is gone", async () => {
      await bench.appendFive();
      await bench.log.prune({ maxHistory: 0 }, bench.clock.nowMs);
      expect([bench.log.floor, bench.log.head, readAll(bench.log).length]).toEqual([6, 5, 0]);
      expect(idsOf((await bench.log.append(drafts(1))).events)).toEqual([6]);
    });

    test("does not let the time go down when everything is gone", async () => {
      const [first] = (await bench.log.append([draft("a")])).events;
      await bench.log.prune({ maxHistory: 0 }, bench.clock.nowMs);
      bench.clock.advance(-MINUTE_MS);
      const [next] = (await bench.log.append([draft("a")])).events;
      expect(next?.created_at).toBe(first?.created_at ?? "");
    });

    test("may be called twice at once, and beside an append", async () => {
      await bench.log.append(drafts(500));
      const rules = { maxHistory: 100 };
      const [first, second] = await Promise.all([
        bench.log.prune(rules, bench.clock.nowMs),
        bench.log.prune(rules, bench.clock.nowMs),
        bench.log.append(drafts(50)),
      ]);
      expect(bench.log.head).toBe(550);
      expect(bench.log.floor).toBe(first + second + 1);
      expect(idsOf(readAll(bench.log))).toEqual(range(bench.log.floor, 550));
    });

    test("is passed by a reader without a gap in what is kept", async () => {
      await bench.log.append(drafts(1000));
      const pruning = bench.log.prune({ maxHistory: 10 }, bench.clock.nowMs);
      const page = bench.log.read({}, 0, 5);
      await pruning;
      const seen = [...idsOf(page.events), ...idsOf(readAll(bench.log, {}, page.end))];
      expect(seen.filter((id) => id >= bench.log.floor)).toEqual(range(991, 1000));
    });
  });

  describe("health and size", () => {
    test("are plausible while the log is open", async () => {
      await bench.appendFive();
      expect(bench.log.health()).toEqual({ state: "ok" });
      expect(bench.log.size().usedBytes).toBeGreaterThan(0);
      expect(bench.log.size().fileBytes).toBeGreaterThanOrEqual(bench.log.size().usedBytes);
    });
  });

  describe("close", () => {
    test("commits what was accepted", async () => {
      const answers = [bench.log.append(drafts(2)), bench.log.append(drafts(3))];
      await bench.log.close();
      expect((await Promise.all(answers)).map(({ events }) => idsOf(events))).toEqual([
        [1, 2],
        [3, 4, 5],
      ]);
    });

    test("may be called twice", async () => {
      await Promise.all([bench.log.close(), bench.log.close()]);
      await bench.log.close();
      expect(bench.log.health().state).toBe("closed");
    });

    test("ends appends", async () => {
      await bench.log.close();
      expect(await busErrorCodeOf(bench.log.append(drafts(1)))).toBe("shutting_down");
    });

    test("waits for pruning to end", async () => {
      await bench.log.append(drafts(3000));
      const pruning = bench.log.prune({ maxHistory: 10 }, bench.clock.nowMs);
      await bench.log.close();
      expect(await pruning).toBeGreaterThanOrEqual(0);
    });
  });
}
