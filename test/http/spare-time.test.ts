import { describe, expect, test } from "bun:test";
import { SpareTime } from "../../src/http/spare-time.ts";

/** Keeps the processor busy, as other work of the loop would. */
function work(forMs: number): void {
  const endMs = performance.now() + forMs;
  while (performance.now() < endMs);
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

describe("spare time", () => {
  test("goes to the tasks in turn", async () => {
    const spareTime = new SpareTime();
    const ran: string[] = [];
    const repeat = (name: string) => {
      ran.push(name);
      if (ran.length < 6) spareTime.run(() => repeat(name));
    };
    for (const name of ["a", "b", "c"]) spareTime.run(() => repeat(name));
    while (ran.length < 6) await nextTurn();
    expect(ran.slice(0, 6)).toEqual(["a", "b", "c", "a", "b", "c"]);
  });

  test("never runs a task in the turn that asks for it", () => {
    let hasRun = false;
    new SpareTime().run(() => {
      hasRun = true;
    });
    expect(hasRun).toBe(false);
  });

  test("is a small part of the time while the loop is busy, and never none", async () => {
    const spareTime = new SpareTime();
    let slices = 0;
    const task = () => {
      slices++;
      work(1);
      spareTime.run(task);
    };
    spareTime.run(task);
    const turns = 200;
    for (let turn = 0; turn < turns; turn++) {
      work(1);
      await nextTurn();
    }
    expect(slices).toBeGreaterThan(2);
    expect(slices).toBeLessThan(turns / 4);
  });

  test("is all of the time while the loop is idle", async () => {
    const spareTime = new SpareTime();
    let runs = 0;
    const finished = new Promise<void>((resolve) => {
      const task = () => {
        if (++runs === 1000) resolve();
        else spareTime.run(task);
      };
      spareTime.run(task);
    });
    await finished;
    expect(runs).toBe(1000);
  });
});
