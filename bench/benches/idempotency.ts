import type { Bench, Context, Row } from "../lib/bench.ts";
import { measurePublish, perSecond, SMALL_EVENT } from "../lib/load.ts";
import { busyNote, takeTurns } from "../lib/rounds.ts";
import { Server } from "../lib/server.ts";

const CONNECTIONS = 64;

export const idempotency: Bench = {
  name: "idempotency",
  title: "Publishing with idempotency keys",
  about:
    "64 kept-alive connections publish one small event per request, as in the HTTP publish bench, each request with " +
    "an `Idempotency-Key` of its own, a random UUID. The control is the same without keys. A key must be found for " +
    "ten minutes and across a restart, so it is stored with its event. An index of random keys would write a random " +
    "page of the database for each event, and shows here.",
  run,
};

async function run(context: Context): Promise<readonly Row[]> {
  const measure = (hasKey: boolean) =>
    measurePublish(context, Server.eventbus(context), CONNECTIONS, { ...SMALL_EVENT, hasKey });
  const { without, keyed } = await takeTurns(context, { without: () => measure(false), keyed: () => measure(true) });
  return [
    {
      name: "HTTP publish, each with an Idempotency-Key of its own",
      unit: "events/s",
      values: perSecond(keyed),
      control: { name: "without keys", values: perSecond(without) },
      target: { of: "ratio", is: "at least", bound: 0.8 },
      notes: [busyNote("ours", keyed), busyNote("control", without)],
    },
  ];
}
