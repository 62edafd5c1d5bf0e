import { describe, expect, test } from "bun:test";
import { FrameTurns, TURN_FRAMES } from "../../../src/http/limits/frame-turns.ts";

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));
const range = (count: number) => Array.from({ length: count }, (_, index) => index);

function setUp() {
  const begun: [client: string, frame: number][] = [];
  const turns = new FrameTurns<string, number>((client, frame) => begun.push([client, frame]));
  const of = (client: string) => begun.filter(([one]) => one === client).map(([, frame]) => frame);
  return { turns, begun, of };
}

describe("frames", () => {
  test("begin at once while the turn has room, and otherwise in later turns, in order", async () => {
    const { turns, begun, of } = setUp();
    for (const frame of range(TURN_FRAMES * 3 + 1)) turns.receive("a", frame);
    const counts = [begun.length];
    while (begun.length < TURN_FRAMES * 3 + 1) {
      await nextTurn();
      counts.push(begun.length);
    }
    const portions = counts.map((count, index) => count - (counts[index - 1] ?? 0));
    expect(Math.max(...portions)).toBe(TURN_FRAMES);
    expect(of("a")).toEqual(range(TURN_FRAMES * 3 + 1));
  });

  test("of one client do not wait for the backlog of another", async () => {
    const { turns, of } = setUp();
    for (const frame of range(TURN_FRAMES * 10)) turns.receive("flood", frame);
    for (const frame of range(3)) turns.receive("honest", frame);
    while (of("honest").length < 3) await nextTurn();
    expect(of("flood").length).toBeLessThan(TURN_FRAMES * 3);
  });

  test("that come while others of their client wait do not begin before them", async () => {
    const { turns, of } = setUp();
    for (const frame of range(TURN_FRAMES + 1)) turns.receive("a", frame);
    turns.receive("a", TURN_FRAMES + 1);
    while (of("a").length < TURN_FRAMES + 2) await nextTurn();
    expect(of("a")).toEqual(range(TURN_FRAMES + 2));
  });

  test("find room again in the next turn", async () => {
    const { turns, begun } = setUp();
    for (const frame of range(TURN_FRAMES)) turns.receive("a", frame);
    await nextTurn();
    await nextTurn();
    turns.receive("b", 1);
    expect(begun.at(-1)).toEqual(["b", 1]);
  });
});
