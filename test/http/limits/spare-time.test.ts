import { describe, expect, test } from "bun:test";
import type { Distance, Work } from "../../../src/bus/delivery/replays.ts";
import { SpareTime } from "../../../src/http/limits/spare-time.ts";

/** Keeps the processor busy, as other work of the loop would. */
function work(forMs: number): void {
  const endMs = performance.now() + forMs;
  while (performance.now() < endMs);
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

/** A subscriber that is behind, and needs this many steps. */
class Steps implements Work {
  done = 0;
  readonly #distance: Distance;
  readonly #count: number;
  readonly #stepMs: number;
  readonly #lagOf: () => number;

  constructor(distance: Distance, count: number, stepMs = 0, lagOf = () => count - this.done) {
    this.#distance = distance;
    this.#count = count;
    this.#stepMs = stepMs;
    this.#lagOf = lagOf;
  }

  has(distance: Distance): boolean {
    return distance === this.#distance && this.done < this.#count;
  }

  step(): readonly Work[] {
    this.done++;
    work(this.#stepMs);
    return [this];
  }

  lag(): number {
    return this.#lagOf();
  }
}

/** The part of the time that goes to the steps, while everything else takes a millisecond a turn. */
async function partOf(steps: Steps, stepMs: number, turns: number): Promise<number> {
  const before = steps.done;
  for (let turn = 0; turn < turns; turn++) {
    work(1);
    await nextTurn();
  }
  const tookMs = (steps.done - before) * stepMs;
  return tookMs / (tookMs + turns);
}

describe("spare time", () => {
  test("is never used in the turn that asks for it", () => {
    const steps = new Steps("near", 1);
    new SpareTime({ head: () => 0 }).replays.add(steps);
    expect(steps.done).toBe(0);
  });

  test("is all of the time while the loop is idle", async () => {
    const [near, far] = [new Steps("near", 1000), new Steps("far", 1000)];
    const { replays } = new SpareTime({ head: () => 0 });
    for (const steps of [near, far]) replays.add(steps);
    while (!replays.isIdle) await nextTurn();
    expect([near.done, far.done]).toEqual([1000, 1000]);
  });

  test("is a small part while the loop is busy and the lag falls, and never none", async () => {
    let lag = 1e9;
    const steps = new Steps("near", Number.POSITIVE_INFINITY, 1, () => {
      lag *= 0.5;
      return lag;
    });
    new SpareTime({ head: () => 0 }).replays.add(steps);
    const part = await partOf(steps, 1, 300);
    expect(steps.done).toBeGreaterThan(2);
    expect(part).toBeLessThan(0.25);
  });

  test("becomes two thirds while the lag does not fall", async () => {
    const spareTime = new SpareTime({ head: () => 0 });
    const steps = new Steps("far", Number.POSITIVE_INFINITY, 1, () => 1000);
    spareTime.replays.add(steps);
    while (spareTime.part < 0.66) await partOf(steps, 1, 10);
    expect(await partOf(steps, 1, 100)).toBeGreaterThan(0.5);
  });

  test("is short in a turn that commits nothing, however long that takes", async () => {
    expect(await stepsBeside({ committed: 0 })).toBeLessThan(10);
  });

  test("is longer in a turn that commits many events", async () => {
    // Where other processes use the core, fewer steps fit into a slice: it is tried again.
    while ((await stepsBeside({ committed: 1000 })) <= 30);
  });
});

/** Steps of a millisecond in one turn that follows one of 100 ms, while replays get two thirds of the time. */
async function stepsBeside({ committed }: { committed: number }): Promise<number> {
  let head = 0;
  const spareTime = new SpareTime({ head: () => head });
  const steps = new Steps("far", Number.POSITIVE_INFINITY, 1, () => 1000);
  spareTime.replays.add(steps);
  while (spareTime.part < 0.66) await partOf(steps, 1, 10);
  const before = steps.done;
  head += committed;
  work(100);
  await nextTurn();
  return steps.done - before;
}
