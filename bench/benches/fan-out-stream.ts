import type { Bench, Context, Row } from "../lib/bench.ts";
import { deliveryNote, measureFanOut } from "../lib/fan-out.ts";
import { perSecond } from "../lib/load.ts";
import { busyNote, takeTurns } from "../lib/rounds.ts";
import { Server } from "../lib/server.ts";

const STREAM_PATH = "/api/events/stream";

export const fanOutStream: Bench = {
  name: "fan-out-stream",
  title: "Fan-out to server-sent events",
  about:
    "1,000 streams of server-sent events receive every event while 64 HTTP connections publish flat out. Events that " +
    "arrive are counted, and afterwards each stream must have received as many as were published. The control is the " +
    "same with 1,000 WebSockets, which Bun serves natively.",
  run,
};

async function run(context: Context): Promise<readonly Row[]> {
  const { websocket, stream } = await takeTurns(context, {
    websocket: () =>
      measureFanOut(context, Server.eventbus(context), {
        transport: "websocket",
        path: "/api/events/subscribe",
        events: 1,
      }),
    stream: () =>
      measureFanOut(context, Server.eventbus(context), { transport: "stream", path: STREAM_PATH, events: 1 }),
  });
  return [
    {
      name: "fan-out to 1,000 streams",
      unit: "events/s",
      values: perSecond(stream),
      control: { name: "the same to 1,000 WebSockets", values: perSecond(websocket) },
      target: { of: "ratio", is: "at least", bound: 0.25 },
      notes: [deliveryNote(stream), busyNote("ours", stream), busyNote("control", websocket)],
    },
  ];
}
