import { type Bench, type Context, type Row, Skipped } from "../lib/bench.ts";
import { deliveryNote, measureFanOut } from "../lib/fan-out.ts";
import { perSecond } from "../lib/load.ts";
import { busyNote, takeTurns, using } from "../lib/rounds.ts";
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
  await requireStreams(context);
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

function requireStreams(context: Context): Promise<void> {
  return using(Server.eventbus(context), async (server) => {
    const answer = await fetch(server.url + STREAM_PATH, { signal: AbortSignal.timeout(1000) }).catch(() => undefined);
    if (answer?.status === 404) throw new Skipped("the program has no streams yet");
    await answer?.body?.cancel();
  });
}
