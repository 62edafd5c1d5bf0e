import { describe, expect, test } from "bun:test";
import { busErrorCodeOf } from "../helpers/bus-error.ts";
import { type Bench, MINUTE_MS } from "./bench.ts";
import { appendEach, draft, drafts, idsOf, range, rawDraft, readAll } from "./log-driver.ts";

/** What the port promises of `append`, held against one implementer of it. */
export function describeAppending(bench: Bench): void {
  describe("append", () => {
    test("gives consecutive ids from 1 on", async () => {
      const first = await bench.log.append(drafts(2));
      const second = await bench.log.append(drafts(3));
      expect([...idsOf(first.events), ...idsOf(second.events)]).toEqual([1, 2, 3, 4, 5]);
      expect(first.replayed).toBe(false);
    });

    test("gives ids in the order of the calls", async () => {
      const events = await appendEach(bench.log, Array(50).fill("a"));
      expect(idsOf(events)).toEqual(range(1, 50));
    });

    test("returns the events as they are in the history", async () => {
      const { events } = await bench.log.append([draft("a.b", { n: 1 }, "shop"), draft("c")]);
      expect(readAll(bench.log).map(({ json }) => json)).toEqual(events.map(({ json }) => json));
      expect(events[0]?.json).toBe(
        '{"id":1,"topic":"a.b","data":{"n":1},"source":"shop","created_at":"2026-11-23T14:30:00.000Z"}',
      );
    });

    test("keeps data to the letter", async () => {
      const texts = ["12345678901234567890", "1.10", "1e400", '{"b":1,"a":2,"b":3}', '"\\u0000 é 😀 \\ud800"', "[ ]"];
      await bench.log.append(texts.map((text) => rawDraft("a", text)));
      expect(readAll(bench.log).map(({ rawData }) => String(rawData))).toEqual(texts);
    });

    test("takes an empty list, too", async () => {
      expect(await bench.log.append([])).toEqual({ events: [], replayed: false });
      expect([bench.log.head, bench.log.floor]).toEqual([0, 1]);
    });

    test("takes more events than a transaction of several appends would", async () => {
      await Promise.all([bench.log.append(drafts(3)), bench.log.append(drafts(10_000)), bench.log.append(drafts(2))]);
      expect(bench.log.head).toBe(10_005);
      expect(readAll(bench.log, {}, 10_002)).toHaveLength(3);
    });

    test("stamps with the clock", async () => {
      bench.clock.advance(1);
      const { events } = await bench.log.append([draft("a")]);
      expect(events[0]?.created_at).toBe("2026-11-23T14:30:00.001Z");
    });

    test("never lets the time go down, even if the clock does", async () => {
      await bench.log.append([draft("a")]);
      bench.clock.advance(-5000);
      await bench.log.append([draft("a")]);
      bench.clock.advance(6000);
      await bench.log.append([draft("a")]);
      const times = readAll(bench.log).map(({ created_at }) => created_at.slice(14, 23));
      expect(times).toEqual(["30:00.000", "30:00.000", "30:01.000"]);
    });
  });

  describe("a commit listener", () => {
    test("is handed every batch before the append resolves", async () => {
      const order: string[] = [];
      bench.log.onCommit((batch) => void order.push(`commit ${idsOf(batch)}`));
      await Promise.all(
        [1, 2].map(() => bench.log.append(drafts(2)).then(({ events }) => order.push(`answer ${idsOf(events)}`))),
      );
      const commits = order.filter((line) => line.startsWith("commit")).join();
      expect(commits.match(/\d+/g)?.map(Number)).toEqual([1, 2, 3, 4]);
      expect(order.indexOf("answer 1,2")).toBeLessThan(order.indexOf("answer 3,4"));
      expect(order[0]).toStartWith("commit 1,2");
    });

    test("finds in the history what it received", async () => {
      const seen: number[][] = [];
      bench.log.onCommit(
        (batch) => void seen.push([bench.log.head, idsOf(readAll(bench.log)).length, batch.at(-1)?.id ?? 0]),
      );
      await bench.log.append(drafts(3));
      expect(seen).toEqual([[3, 3, 3]]);
    });

    test("may append", async () => {
      const answers: Promise<unknown>[] = [];
      bench.log.onCommit((batch) => {
        if (batch.at(-1)?.topic === "question") answers.push(bench.log.append([draft("answer")]));
      });
      await bench.log.append([draft("question")]);
      await Promise.all(answers);
      expect(readAll(bench.log).map(({ topic }) => String(topic))).toEqual(["question", "answer"]);
    });

    test("is not called when nothing was appended", async () => {
      let calls = 0;
      await bench.log.append(drafts(1), { idempotencyKey: "k" });
      bench.log.onCommit(() => void calls++);
      await bench.log.append([]);
      await bench.log.append(drafts(1), { idempotencyKey: "k" });
      expect(calls).toBe(0);
    });
  });

  describe("an idempotency key", () => {
    const options = { idempotencyKey: "k" };

    test("returns the first events for a repeat", async () => {
      const first = await bench.log.append([draft("a", 1, "s"), draft("b", 2)], options);
      bench.clock.advance(MINUTE_MS);
      const repeat = await bench.log.append([draft("a", 1, "s"), draft("b", 2)], options);
      expect(repeat.replayed).toBe(true);
      expect(repeat.events.map(({ json }) => json)).toEqual(first.events.map(({ json }) => json));
      expect(bench.log.head).toBe(2);
    });

    test.each([
      ["data", [draft("a", 2, "s")]],
      ["topic", [draft("b", 1, "s")]],
      ["source", [draft("a", 1)]],
      ["number of events", [draft("a", 1, "s"), draft("a", 1, "s")]],
    ])("refuses another %s", async (_, other) => {
      await bench.log.append([draft("a", 1, "s")], options);
      expect(await busErrorCodeOf(bench.log.append(other, options))).toBe("idempotency_conflict");
      expect(bench.log.head).toBe(1);
    });

    test("holds within one turn of the loop", async () => {
      const answers = await Promise.all([1, 2, 3].map(() => bench.log.append([draft("a")], options)));
      expect(answers.map(({ replayed }) => replayed)).toEqual([false, true, true]);
      expect(answers.map(({ events }) => idsOf(events))).toEqual([[1], [1], [1]]);
    });

    test("rejects another body within one turn of the loop, and nothing else", async () => {
      const calls = [
        bench.log.append([draft("a")], options),
        bench.log.append([draft("b")], options),
        bench.log.append([draft("c")]),
      ];
      const [first, second, third] = await Promise.allSettled(calls);
      expect([first?.status, second?.status, third?.status]).toEqual(["fulfilled", "rejected", "fulfilled"]);
      expect(readAll(bench.log).map(({ topic }) => String(topic))).toEqual(["a", "c"]);
    });

    test("is remembered for ten minutes", async () => {
      await bench.log.append([draft("a")], options);
      bench.clock.advance(10 * MINUTE_MS);
      await bench.log.prune({}, bench.clock.nowMs);
      expect((await bench.log.append([draft("a")], options)).replayed).toBe(true);
      bench.clock.advance(1);
      expect((await bench.log.append([draft("a")], options)).replayed).toBe(false);
    });

    test("is remembered when retention has removed its events", async () => {
      const first = await bench.log.append([draft("a", 7)], options);
      await bench.log.prune({ maxHistory: 0 }, bench.clock.nowMs);
      const repeat = await bench.log.append([draft("a", 7)], options);
      expect(repeat.events[0]?.json).toBe(first.events[0]?.json ?? "");
    });

    test("holds for ten thousand events", async () => {
      await bench.log.append(drafts(10_000), options);
      const repeat = await bench.log.append(drafts(10_000), options);
      expect([repeat.replayed, repeat.events.length, bench.log.head]).toEqual([true, 10_000, 10_000]);
    });
  });
}
