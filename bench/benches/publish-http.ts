import type { Bench, Context, Row } from "../lib/bench.ts";
import { measurePublish, perSecond, SMALL_EVENT } from "../lib/load.ts";
import { busyNote, takeTurns } from "../lib/rounds.ts";
import { Server } from "../lib/server.ts";

const CONNECTIONS = 64;

export const publishHttp: Bench = {
  name: "publish-http",
  title: "HTTP publish",
  about:
    "64 kept-alive connections publish one small event a request (100 bytes of data, 1,000 topics at random), each as " +
    "soon as the last one is acknowledged, which is after the fsync. The server has one core. The first control is a " +
    "bare `Bun.serve` that parses the same JSON and answers as much. The second is the program itself with one part " +
    "exchanged: each request waits for a transaction and an fsync of its own (`bench/controls/commit-each.ts`).",
  run,
};

async function run(context: Context): Promise<readonly Row[]> {
  const measure = (opening: Promise<Server>) => measurePublish(context, opening, CONNECTIONS, SMALL_EVENT);
  const { bare, ours, each } = await takeTurns(context, {
    bare: () => measure(Server.control(context, "bare-publish")),
    ours: () => measure(Server.eventbus(context)),
    each: () => measure(Server.variant(context, "commit-each")),
  });
  const common = { unit: "events/s", values: perSecond(ours) };
  return [
    {
      ...common,
      name: "HTTP publish, 64 connections, fsynced, beside bare HTTP",
      control: { name: "bare Bun.serve", values: perSecond(bare) },
      target: { of: "ratio", is: "at least", bound: 0.5 },
      notes: [busyNote("ours", ours), busyNote("control", bare)],
    },
    {
      ...common,
      name: "HTTP publish, 64 connections, fsynced, beside a transaction a request",
      control: { name: "one fsynced transaction a request", values: perSecond(each) },
      target: { of: "ratio", is: "at least", bound: 5 },
      notes: [busyNote("control", each)],
    },
  ];
}
