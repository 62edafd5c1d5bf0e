import type { Bench, Context, Row } from "../lib/bench.ts";
import { measurePublish, perSecond, SMALL_EVENT } from "../lib/load.ts";
import { busyNote, takeTurns } from "../lib/rounds.ts";
import { Server } from "../lib/server.ts";

const CONNECTIONS = 64;
const MANY_CONNECTIONS = 256;

export const publishHttp: Bench = {
  name: "publish-http",
  title: "HTTP publish",
  about:
    "Kept-alive connections publish one small event per request (100 bytes of data, 1,000 topics at random), each " +
    "as soon as the last one is acknowledged, which is after the fsync. The server has one core. One control is a " +
    "minimal server with the same promise: `Bun.serve`, `JSON.parse`, a plain table, one fsynced transaction for " +
    "everything that arrived in a turn of the loop, the whole event as the response " +
    "(`bench/controls/minimal-bus.ts`). Another is a bare `Bun.serve` that parses the same JSON, responds with as " +
    "many bytes and stores nothing. The last is the program itself with one part replaced: each request waits for a " +
    "transaction and an fsync of its own (`bench/controls/commit-each.ts`).",
  run,
};

async function run(context: Context): Promise<readonly Row[]> {
  const measure = (opening: Promise<Server>, connections = CONNECTIONS) =>
    measurePublish(context, opening, connections, SMALL_EVENT);
  const { bare, minimal, ours, each, minimalOfMany, oursOfMany } = await takeTurns(context, {
    bare: () => measure(Server.control(context, "bare-publish")),
    minimal: () => measure(Server.control(context, "minimal-bus")),
    ours: () => measure(Server.eventbus(context)),
    each: () => measure(Server.variant(context, "commit-each")),
    minimalOfMany: () => measure(Server.control(context, "minimal-bus"), MANY_CONNECTIONS),
    oursOfMany: () => measure(Server.eventbus(context), MANY_CONNECTIONS),
  });
  const common = { unit: "events/s", values: perSecond(ours) };
  return [
    {
      ...common,
      name: "HTTP publish, 64 connections, fsynced, beside a minimal server with the same promise",
      control: { name: "minimal server", values: perSecond(minimal) },
      target: { of: "ratio", is: "at least", bound: 0.9 },
      notes: [busyNote("ours", ours), busyNote("control", minimal)],
    },
    {
      ...common,
      name: "HTTP publish, 256 connections, fsynced, beside a minimal server with the same promise",
      values: perSecond(oursOfMany),
      control: { name: "minimal server", values: perSecond(minimalOfMany) },
      target: { of: "ratio", is: "at least", bound: 0.75 },
      notes: [busyNote("ours", oursOfMany), busyNote("control", minimalOfMany)],
    },
    {
      ...common,
      name: "HTTP publish, 64 connections, fsynced, beside bare HTTP",
      control: { name: "bare Bun.serve", values: perSecond(bare) },
      target: { of: "ratio", is: "at least", bound: 0.5 },
      notes: [busyNote("control", bare)],
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
