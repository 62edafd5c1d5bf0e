import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { batches, type LineBatch, LineError, partsOf } from "../../src/cli/lines.ts";

async function* streamOf(chunks: readonly (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield typeof chunk === "string" ? Buffer.from(chunk) : chunk;
}

/** The batches, and the error that ended them. */
async function cut(
  chunks: readonly (string | Uint8Array)[],
  options: { skip?: number; toEnvelope?: (line: string) => string } = {},
): Promise<{ all: LineBatch[]; error: unknown }> {
  const all: LineBatch[] = [];
  try {
    for await (const batch of batches(streamOf(chunks), { skip: 0, ...options })) all.push(batch);
    return { all, error: undefined };
  } catch (error) {
    return { all, error };
  }
}

function lines(count: number, length = 1): string {
  return `${"x".repeat(length)}\n`.repeat(count);
}

test("a batch is divided into parts of so many lines, none of them blank", () => {
  const batch = { text: "a\nb\n\n \nc\n", firstLine: 11, lastLine: 16 };
  expect([...partsOf(batch, 2)]).toEqual([
    { text: "a\nb", firstLine: 11, lastLine: 12 },
    { text: "c\n", firstLine: 15, lastLine: 16 },
  ]);
  expect([...partsOf(batch, Number.POSITIVE_INFINITY)]).toEqual([batch]);
});

describe("lines are divided into batches", () => {
  test("of up to 10,000 lines", async () => {
    const { all } = await cut([lines(25_000)]);
    expect(all.map(({ firstLine, lastLine }) => [firstLine, lastLine])).toEqual([
      [1, 10_000],
      [10_001, 20_000],
      [20_001, 25_000],
    ]);
  });

  test("of up to 1 MiB, or one line that is longer", async () => {
    const { all } = await cut([lines(3, 400_000), lines(1, 2_000_000), "x"]);
    expect(all.map(({ firstLine, lastLine }) => [firstLine, lastLine])).toEqual([
      [1, 2],
      [3, 3],
      [4, 4],
      [5, 5],
    ]);
  });

  test("at the same places, however the stream is cut into chunks", async () => {
    const text = Array.from({ length: 300 }, (_, index) => `${"é".repeat((index * 7919) % 9000)}\n`).join("");
    const whole = await cut([text]);
    expect(whole.all.length).toBeGreaterThan(1);
    const size = fc.integer({ min: 500, max: 200_000 });
    await fc.assert(
      fc.asyncProperty(size, async (bytes) => {
        const buffer = Buffer.from(text);
        const starts = Array.from({ length: Math.ceil(buffer.length / bytes) }, (_, index) => index * bytes);
        expect(await cut(starts.map((start) => buffer.subarray(start, start + bytes)))).toEqual(whole);
      }),
      { numRuns: 20 },
    );
  });

  test("that keep blank lines, so that lines can be counted, but are never blank", async () => {
    expect((await cut(["a\n\n \nb"])).all).toEqual([{ text: "a\n\n \nb", firstLine: 1, lastLine: 4 }]);
    expect((await cut(["\n\n  \n"])).all).toEqual([]);
  });

  test("without those that are skipped", async () => {
    expect((await cut(["a\nb\nc\n"], { skip: 2 })).all).toEqual([{ text: "c", firstLine: 3, lastLine: 3 }]);
    expect((await cut(["a\n"], { skip: 2 })).all).toEqual([]);
  });

  test("of lines made into envelopes, except blank ones", async () => {
    const { all } = await cut(["a\n\nb\n"], { toEnvelope: (line) => `<${line}>` });
    expect(all.map(({ text }) => text)).toEqual(["<a>\n\n<b>"]);
  });

  test("when nothing more comes for a while", async () => {
    let release = () => {};
    async function* pausing() {
      yield Buffer.from("a\nb");
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      yield Buffer.from("c\n");
    }
    const stream = batches(pausing(), { skip: 0 });
    expect((await stream.next()).value).toEqual({ text: "a", firstLine: 1, lastLine: 1 });
    release();
    expect((await stream.next()).value).toEqual({ text: "bc", firstLine: 2, lastLine: 2 });
    expect((await stream.next()).done).toBe(true);
  });
});

describe("a line that cannot be published is named, after the batch of the lines before it:", () => {
  const refuse = () => {
    throw new SyntaxError("it is refused");
  };
  const cases = [
    ["invalid UTF-8", Buffer.from([0xff]), undefined, "line 3: it is not UTF-8"],
    ["one without an envelope", "bad", (line: string) => (line === "bad" ? refuse() : line), "line 3: it is refused"],
    ["17 MiB", "x".repeat(17 * 2 ** 20), undefined, "line 3: it is longer than 16777216 bytes"],
  ] as const;
  for (const [situation, bad, toEnvelope, words] of cases) {
    test(situation, async () => {
      const { all, error } = await cut(["a\nb\n", bad, "\nc"], toEnvelope ? { toEnvelope } : {});
      expect(all).toEqual([{ text: "a\nb", firstLine: 1, lastLine: 2 }]);
      expect(error).toBeInstanceOf(LineError);
      expect(error).toHaveProperty("message", words);
    });
  }
});
