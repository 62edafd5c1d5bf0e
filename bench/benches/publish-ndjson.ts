import type { Bench, Context, Row } from "../lib/bench.ts";
import { measurePublish, perSecond, SMALL_EVENT } from "../lib/load.ts";
import { busyNote, takeTurns } from "../lib/rounds.ts";
import { Server } from "../lib/server.ts";

const CONNECTIONS = 4;
const LINES = 1000;

export const publishNdjson: Bench = {
  name: "publish-ndjson",
  title: "NDJSON publish",
  about:
    "4 connections publish bodies of 1,000 lines (100 bytes of data, 1,000 topics at random), each as soon as the " +
    "last one is acknowledged, which is after the fsync. The server has one core. The control is a handwritten " +
    "minimum: a bare `Bun.serve` that parses each line with `JSON.parse` and inserts it into a plain SQLite table " +
    "without an index, one fsynced transaction per body.",
  run,
};

async function run(context: Context): Promise<readonly Row[]> {
  const body = { ...SMALL_EVENT, events: LINES };
  const measure = (opening: Promise<Server>) => measurePublish(context, opening, CONNECTIONS, body);
  const { plain, ours } = await takeTurns(context, {
    plain: () => measure(Server.control(context, "bare-ndjson")),
    ours: () => measure(Server.eventbus(context)),
  });
  return [
    {
      name: "NDJSON publish, 1,000 topics at random, fsynced",
      unit: "events/s",
      values: perSecond(ours),
      control: { name: "Bun.serve and a plain table", values: perSecond(plain) },
      target: { of: "value", is: "at least", bound: 300_000 },
      notes: [busyNote("ours", ours), busyNote("control", plain)],
    },
  ];
}
