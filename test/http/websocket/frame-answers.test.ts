import { describe, expect, test } from "bun:test";
import { FrameAnswers } from "../../../src/http/websocket/frame-answers.ts";

/** A socket that notes what is sent to it, write by write. */
function notingSocket() {
  const writes: (readonly string[])[] = [];
  const socket = {
    hasRoom: () => true,
    send: (texts: readonly string[]) => void writes.push(texts),
  };
  return { socket, writes, answers: new FrameAnswers(socket) };
}

const BYTES = 10;

/** Adds answers that are not known yet; returns what makes each known. */
function addUnknown(answers: FrameAnswers, count: number): ((text: string) => void)[] {
  return Array.from({ length: count }, () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    answers.expect(BYTES);
    answers.add(promise, BYTES);
    return resolve;
  });
}

function addKnown(answers: FrameAnswers, text: string): void {
  answers.expect(BYTES);
  answers.add(text, BYTES);
}

describe("answers to frames", () => {
  test("go out in the order of the frames, whatever order they are known in", async () => {
    const { answers, writes } = notingSocket();
    const [first, second, third] = addUnknown(answers, 3);
    third?.("c");
    second?.("b");
    await Bun.sleep(0);
    expect(writes).toEqual([]);
    first?.("a");
    await answers.whenEmpty();
    expect(writes.flat()).toEqual(["a", "b", "c"]);
  });

  test("that become known in one turn go out in one write", async () => {
    const { answers, writes } = notingSocket();
    const known = addUnknown(answers, 256);
    for (const [index, resolve] of known.entries()) resolve(String(index));
    addKnown(answers, "pong");
    await answers.whenEmpty();
    expect(writes).toEqual([[...known.keys()].map(String).concat("pong")]);
  });

  test("wait while the peer reads nothing, and continue when it does", async () => {
    const { answers, socket, writes } = notingSocket();
    socket.hasRoom = () => false;
    addKnown(answers, "a");
    await Bun.sleep(0);
    expect([writes.length, answers.frames, answers.bytes]).toEqual([0, 1, BYTES]);
    socket.hasRoom = () => true;
    answers.resume();
    await answers.whenEmpty();
    expect([writes, answers.frames, answers.bytes]).toEqual([[["a"]], 0, 0]);
  });

  test("are checked for room again after each 64 KiB", async () => {
    const { answers, socket, writes } = notingSocket();
    socket.hasRoom = () => writes.length === 0;
    addKnown(answers, "x".repeat(64 * 1024));
    addKnown(answers, "b");
    await Bun.sleep(0);
    expect(answers.frames).toBe(1);
  });

  test("are counted from when their frame comes", () => {
    const { answers } = notingSocket();
    answers.expect(BYTES);
    expect([answers.frames, answers.bytes]).toEqual([1, BYTES]);
  });
});
