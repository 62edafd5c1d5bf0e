import { describe, expect, test } from "bun:test";
import { FRAMES_TURN_MS, FrameTurns, TURN_FRAMES } from "../../../src/http/limits/frame-turns.ts";

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));
const range = (count: number) => Array.from({ length: count }, (_, index) => index);

/** Each frame takes this long, by a clock that stands still otherwise. */
function setUp(frameMs = 0) {
  const begun: [client: string, frame: number][] = [];
  let nowMs = 0;
  const begin = (client: string, frame: number) => {
    begun.push([client, frame]);
    nowMs += frameMs;
  };
  const turns = new FrameTurns<string, number>(begin, () => nowMs);
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

  test("that take long begin in later turns, however few they are", async () => {
    const { turns, begun, of } = setUp(FRAMES_TURN_MS);
    for (const frame of range(5)) turns.receive("a", frame);
    expect(begun.length).toBe(1);
    turns.receive("b", 0);
    while (begun.length < 6) {
      const before = begun.length;
      await nextTurn();
      expect(begun.length - before).toBeLessThanOrEqual(1);
    }
    expect(of("a")).toEqual(range(5));
    expect(begun.findIndex(([client]) => client === "b")).toBeLessThan(4);
  });

  test("of all clients have their turns where each turn ends with the portion of one", async () => {
    const { turns, of } = setUp(FRAMES_TURN_MS / 20);
    for (const client of ["a", "b", "c"]) for (const frame of range(200)) turns.receive(client, frame);
    while (of("c").length < 60) await nextTurn();
    for (const client of ["a", "b"]) expect(of(client).length).toBeLessThan(120);
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
