import { expect, test } from "bun:test";
import type { EventMessage } from "../../src/protocol/event.ts";
import { Binary } from "../helpers/binary.ts";
import { history, post, publish, wholeHistory } from "../helpers/http.ts";
import { randomFrom } from "../helpers/load.ts";
import { describeWith } from "../helpers/requires.ts";
import { report, rounds, SEED } from "../helpers/rounds.ts";
import { Layer } from "./lib/layer.ts";

const STEPS = rounds(10, 200);
const HOUR_MS = 3_600_000;
const MAX_STEP_MS = 48 * HOUR_MS;

describeWith("gcc", "a clock that is set by hours, back and forth,", (compiler) => {
  test("leaves ids and times in order, removes nothing young, and is reported", async () => {
    using layer = new Layer(compiler);
    const args = ["--db", layer.history, "--max-age", "1h", "--prune-interval", "100ms"];
    await using server = await Binary.start({ folder: layer.folder, args, env: layer.env() });
    const random = randomFrom(SEED);
    const first = await publish(server.url, "first", 0);
    for (let step = 1; step <= STEPS; step++) {
      const lines = stepsReported(server);
      layer.setClock(Math.round((random() - 0.5) * MAX_STEP_MS));
      while (stepsReported(server) === lines) await Bun.sleep(10);
      const { id } = await publish(server.url, "a", step);
      expect((await history(server.url, "from=10m")).map((event) => event.id)).toContain(id);
    }
    const events = await wholeHistory(server.url);
    expect(events.map(({ data }) => data)).toEqual(Array.from({ length: STEPS + 1 }, (_, index) => index));
    expectAscending(events);
    expect(events[0]).toEqual(first);
    report("clock steps", { steps: STEPS });
  }, 300_000);

  test("forgets no idempotency key early", async () => {
    using layer = new Layer(compiler);
    const args = ["--db", layer.history, "--prune-interval", "100ms"];
    await using server = await Binary.start({ folder: layer.folder, args, env: layer.env() });
    const send = async () => (await (await post(server.url, '{"topic":"a"}', { key: "k" })).json()) as EventMessage;
    const { id } = await send();
    for (const hours of [24, -24, 1]) {
      const lines = stepsReported(server);
      layer.setClock(hours * HOUR_MS);
      while (stepsReported(server) === lines) await Bun.sleep(10);
      expect((await send()).id).toBe(id);
    }
  });
});

/** How often the log says that the clock was set. */
function stepsReported({ stderr }: Binary): number {
  return stderr.match(/the clock was set/g)?.length ?? 0;
}

function expectAscending(events: readonly EventMessage[]): void {
  const times = events.map(({ created_at }) => created_at);
  expect(times).toEqual([...times].sort());
  expect(events.map(({ id }) => id)).toEqual(events.map((_, index) => index + 1));
}
