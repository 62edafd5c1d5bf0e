import { expect, test } from "bun:test";
import { type Failure, runCases } from "./run.ts";

/** `EVENTBUS_TEST_SEED` names the first case; without it, every run has another one. */
const seed = Number(process.env["EVENTBUS_TEST_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
/** `EVENTBUS_TEST_CASES` says how many; one, when a seed is named. */
const count = Number(
  process.env["EVENTBUS_TEST_CASES"] ?? (process.env["EVENTBUS_TEST_SEED"] === undefined ? 2000 : 1),
);
/** Cases between two reports of progress. */
const PROGRESS_CASES = 1000;

test(
  "every subscriber gets every event that matches, in order, once, from its start on, except for reported gaps",
  async () => {
    const startMs = performance.now();
    const failure = await runCases(seed, count, {
      onDone: (done) => {
        if (done % PROGRESS_CASES !== 0) return;
        const perSecond = Math.round((done / (performance.now() - startMs)) * 1000);
        console.error(`${done} of ${count} cases, ${perSecond} a second, first seed ${seed}`);
      },
    });
    expect(failure && report(failure)).toBeUndefined();
  },
  24 * 3600 * 1000,
);

function report({ seed, breach, scenario }: Failure): string {
  const steps = scenario.steps.map((step) => `  ${JSON.stringify(step)}`).join("\n");
  const { steps: _, ...rest } = scenario;
  return `EVENTBUS_TEST_SEED=${seed} bun test test/model\n${breach}\n${JSON.stringify(rest)}\n${steps}`;
}
