import type { Bench, Context, Row } from "../lib/bench.ts";
import { perSecond, publisher, SMALL_EVENT } from "../lib/load.ts";
import { busyNote, serverBusy, type Throughput, takeTurns, using } from "../lib/rounds.ts";
import { Server } from "../lib/server.ts";

const IN_FLIGHT = 256;
/** A pattern that nothing matches, so that the socket publishes and receives nothing but answers. */
const PATH = "/api/events/subscribe?pattern=nothing";

export const publishWebsocket: Bench = {
  name: "publish-websocket",
  title: "WebSocket publish",
  about:
    "One WebSocket publishes small events (100 bytes of data, 1,000 topics at random) with 256 frames in flight: " +
    "each acknowledgement, which comes after the fsync, is followed by the next frame. A client publishes many " +
    "events this way without batches of its own. A frame must cost little besides its part of the group commit: " +
    "acknowledgements come in the order of the frames, and a promise and a send for each would be slow. The control " +
    "is a bare `Bun.serve` that parses each frame with `JSON.parse`, acknowledges it at once and stores nothing.",
  run,
};

async function run(context: Context): Promise<readonly Row[]> {
  const { bare, ours } = await takeTurns(context, {
    bare: () => measure(context, Server.control(context, "bare-websocket")),
    ours: () => measure(context, Server.eventbus(context)),
  });
  return [
    {
      name: "WebSocket publish, 1 connection with 256 frames in flight, fsynced",
      unit: "events/s",
      values: perSecond(ours),
      control: { name: "bare Bun.serve", values: perSecond(bare) },
      target: { of: "value", is: "at least", bound: 120_000 },
      notes: [busyNote("ours", ours), busyNote("control", bare)],
    },
  ];
}

function measure(context: Context, opening: Promise<Server>): Promise<Throughput> {
  const { warmupSeconds, windowSeconds } = context;
  return using(opening, (server) =>
    using(publisher(context), async (program) => {
      const frames = { port: server.port, path: PATH, inFlight: IN_FLIGHT, body: SMALL_EVENT };
      const [result, busy] = await Promise.all([
        program.ask("publishFrames", { ...frames, warmupSeconds, windowSeconds }),
        serverBusy(server, context),
      ]);
      return { ...result, serverBusy: busy };
    }),
  );
}
