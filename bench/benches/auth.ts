import type { Bench, Context, Row } from "../lib/bench.ts";
import { measurePublish, perSecond, SMALL_EVENT } from "../lib/load.ts";
import { busyNote, type Throughput, takeTurns } from "../lib/rounds.ts";
import { Server } from "../lib/server.ts";
import { makeTokenFile } from "../lib/token-file.ts";

const CONNECTIONS = 64;
const TOKENS = 10_000;
const SCOPES = 1000;

export const auth: Bench = {
  name: "auth",
  title: "Publishing with tokens",
  about:
    "64 kept-alive connections publish one small event per request, as in the HTTP publish bench: to an open server, " +
    "with the same token on every request, and with another of 10,000 tokens on each, which have 1,000 different " +
    "sets of patterns. None of the patterns is `*`, so every topic is matched.",
  run,
};

async function run(context: Context): Promise<readonly Row[]> {
  const { open, one, many } = await takeTurns(context, {
    open: () => measurePublish(context, Server.eventbus(context), CONNECTIONS, SMALL_EVENT),
    one: () => measureWith(context, 1, 1),
    many: () => measureWith(context, TOKENS, SCOPES),
  });
  const control = { name: "no token", values: perSecond(open) };
  const common = { unit: "events/s", control };
  return [
    {
      ...common,
      name: "HTTP publish with a token",
      values: perSecond(one),
      target: { of: "ratio", is: "at least", bound: 0.95 },
      notes: [busyNote("with a token", one), busyNote("without", open)],
    },
    {
      ...common,
      name: "HTTP publish with 10,000 tokens of 1,000 scopes",
      values: perSecond(many),
      target: { of: "ratio", is: "at least", bound: 0.85 },
      notes: [busyNote("with 10,000 tokens", many)],
    },
  ];
}

async function measureWith(context: Context, tokens: number, scopes: number): Promise<Throughput> {
  const { path, secrets } = await makeTokenFile(context, tokens, scopes);
  const body = { ...SMALL_EVENT, tokens: secrets };
  return measurePublish(context, Server.eventbus(context, ["--db", path]), CONNECTIONS, body);
}
