import type { Bench, Context, Row } from "../lib/bench.ts";
import { Program } from "../lib/program.ts";
import { takeTurns, using } from "../lib/rounds.ts";
import { Server } from "../lib/server.ts";
import { percentile } from "../lib/stats.ts";
import type { SteadyCommands } from "../load/steady.ts";

const RATE = 1000;
const CONNECTIONS = 16;

export const latency: Bench = {
  name: "latency",
  title: "From publish to delivery",
  about:
    "1,000 events/s are published over HTTP by the clock (16 connections), and one WebSocket subscribes to them. The " +
    "time runs from sending the publish to receiving the event on the socket, in one process, so with one clock; the " +
    "fsync is part of it. The control is a bare echo: a `Bun.serve` that parses the JSON, publishes it to its " +
    "sockets and stores nothing.",
  run,
};

async function run(context: Context): Promise<readonly Row[]> {
  const { echo, ours } = await takeTurns(context, {
    echo: () => measure(context, Server.control(context, "bare-echo")),
    ours: () => measure(context, Server.eventbus(context)),
  });
  const at = (share: number, rounds: readonly number[][]) => rounds.map((timesMs) => percentile(timesMs, share));
  const row = (name: string, share: number, bound: number): Row => ({
    name: `publish to delivery at 1,000 events/s, ${name}`,
    unit: "ms",
    values: at(share, ours),
    control: { name: "bare echo", values: at(share, echo) },
    target: { of: "value", is: "at most", bound },
    notes: [],
  });
  return [
    { ...row("median", 0.5, 1.5), timesMs: { ours: ours.flat(), "bare echo": echo.flat() } },
    row("99th percentile", 0.99, 5),
  ];
}

function measure(context: Context, opening: Promise<Server>): Promise<number[]> {
  return using(opening, (server) =>
    using(new Program<SteadyCommands>("steady", context.folder), async (program) => {
      const options = {
        port: server.port,
        rate: RATE,
        connections: CONNECTIONS,
        subscribePath: "/api/events/subscribe",
      };
      await program.ask("publish", { ...options, seconds: context.warmupSeconds });
      const { deliveredMs, answeredMs } = await program.ask("publish", { ...options, seconds: context.windowSeconds });
      if (deliveredMs.length !== answeredMs.length) throw new Error("not every event was delivered once");
      return deliveredMs;
    }),
  );
}
