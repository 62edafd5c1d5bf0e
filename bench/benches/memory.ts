import type { Bench, Context, Row } from "../lib/bench.ts";
import { receiver } from "../lib/load.ts";
import { openFilesLimit } from "../lib/machine.ts";
import { takeTurns, using } from "../lib/rounds.ts";
import { Server } from "../lib/server.ts";

const SOCKETS = 10_000;
const WARMUP_SOCKETS = 200;
/** Files that server and client need besides the sockets. */
const SPARE_FILES = 200;
const SETTLE_MS = 10_000;
/** Between two looks at the memory; the lowest counts, as it is that after a garbage collection. */
const SAMPLE_MS = 500;

export const memory: Bench = {
  name: "memory",
  title: "Memory of idle sockets",
  about:
    "10,000 WebSockets subscribe to everything and then do nothing. The figure is the growth of the server's " +
    "resident memory from before the first to ten seconds after the last (its lowest in that time), divided by the " +
    "number of sockets. 200 others came and went before, so that one-time allocations are not counted; kernel " +
    "memory for the sockets is not counted either. The control is a bare `Bun.serve` with sockets that subscribe to " +
    "one topic.",
  run,
};

async function run(context: Context): Promise<readonly Row[]> {
  const sockets = Math.min(context.isQuick ? SOCKETS / 10 : SOCKETS, openFilesLimit() - SPARE_FILES);
  const flags = ["--max-connections", String(SOCKETS + WARMUP_SOCKETS)];
  const { bare, ours } = await takeTurns(context, {
    bare: () => measure(context, Server.control(context, "bare-sockets"), sockets),
    ours: () => measure(context, Server.eventbus(context, flags), sockets),
  });
  return [
    {
      name: `memory of each of ${sockets.toLocaleString("en")} idle sockets`,
      unit: "KB",
      values: ours,
      control: { name: "bare Bun.serve", values: bare },
      target: { of: "value", is: "at most", bound: 12 },
      notes: sockets < SOCKETS && !context.isQuick ? ["the limit on open files allows no more sockets"] : [],
    },
  ];
}

/** Kilobytes (1,000 bytes) that a socket takes. */
function measure(context: Context, opening: Promise<Server>, sockets: number): Promise<number> {
  const settleMs = context.isQuick ? SETTLE_MS / 5 : SETTLE_MS;
  return using(opening, (server) =>
    using(receiver(context), async (program) => {
      const open = (count: number) =>
        program.ask("open", {
          port: server.port,
          transport: "websocket",
          path: "/api/events/subscribe",
          sockets: count,
        });
      await open(WARMUP_SOCKETS);
      await program.ask("close");
      const before = await lowestResidentBytes(server, settleMs / 2);
      await open(sockets);
      const after = await lowestResidentBytes(server, settleMs);
      return (after - before) / sockets / 1000;
    }),
  );
}

async function lowestResidentBytes(server: Server, durationMs: number): Promise<number> {
  let lowest = Number.POSITIVE_INFINITY;
  for (let passedMs = 0; passedMs < durationMs; passedMs += SAMPLE_MS) {
    await Bun.sleep(SAMPLE_MS);
    lowest = Math.min(lowest, server.residentBytes());
  }
  return lowest;
}
