import picomatch from "picomatch";
import type { Bench, Context, Row } from "../lib/bench.ts";
import { takeTurns } from "../lib/rounds.ts";
import { runScript } from "../lib/script.ts";

/** Short, and bad enough: the time rises with the fourth power of the topic's length. */
const SHORT_PATTERN = "*a*a*a*b";
const TOPIC = "a".repeat(255);

export const pattern: Bench = {
  name: "pattern",
  title: "The worst pattern",
  about:
    "The longest median time of a match among thousands of patterns of up to 256 characters, written to be slow or " +
    "generated at random, against topics of 255 bytes that nearly match (`bench/pattern.bench.ts`). The control is " +
    "the usual translation of a glob into a regular expression (picomatch), on a pattern of only 8 characters: " +
    "`*a*a*a*b`.",
  run,
};

async function run(context: Context): Promise<readonly Row[]> {
  const { usual, ours } = await takeTurns(context, {
    usual: async () => {
      const matches = picomatch(SHORT_PATTERN, { dot: true });
      const startMs = performance.now();
      matches(TOPIC);
      return performance.now() - startMs;
    },
    ours: async () => {
      const rows = await runScript(context, "pattern");
      return rows[0]?.value ?? Number.NaN;
    },
  });
  return [
    {
      name: "the worst pattern of 256 characters, one match",
      unit: "ms",
      values: ours,
      control: { name: "picomatch, a pattern of 8 characters", values: usual },
      target: { of: "value", is: "at most", bound: 1 },
      notes: [],
    },
  ];
}
