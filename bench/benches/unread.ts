import type { Bench, Context, Row } from "../lib/bench.ts";
import { publisher, receiver, SMALL_EVENT } from "../lib/load.ts";
import { takeTurns, using } from "../lib/rounds.ts";
import { Server } from "../lib/server.ts";
import { median } from "../lib/stats.ts";

const SOCKETS = 4000;
const QUICK_SOCKETS = 400;
const EVENT_BYTES = 10_000;
const CONNECTIONS = 16;
/** More than both kernels' buffers and the server's hold for one socket, so that each falls behind. */
const BYTES_EACH = 6_000_000;
const STEP_SECONDS = 2;
const MAX_SECONDS = 40;

export const unread: Bench = {
  name: "unread",
  title: "Memory of sockets that never read",
  about:
    "4,000 WebSockets subscribe to everything and read nothing after the handshake, while 16 connections publish " +
    "events of 10 KB until 6 MB were sent to each (or for 40 seconds): more than the buffers of the kernel and the " +
    "server hold for a socket, so each has fallen behind. The figure is the largest resident memory of the server " +
    "at any time. A bound for each socket is not enough, since a few thousand readers that hang would take " +
    "gigabytes, so all of them share one bound. Kernel memory for the sockets is not counted. The control is the " +
    "same with 10 such sockets.",
  run,
};

interface Grown {
  readonly megabytes: number;
  readonly published: number;
}

async function run(context: Context): Promise<readonly Row[]> {
  const sockets = context.isQuick ? QUICK_SOCKETS : SOCKETS;
  const { few, many } = await takeTurns(context, {
    few: () => measure(context, 10),
    many: () => measure(context, sockets),
  });
  const megabytesOf = (rounds: readonly Grown[]) => rounds.map(({ megabytes }) => megabytes);
  const events = median(many.map(({ published }) => published));
  return [
    {
      name: `memory with ${sockets.toLocaleString("en")} sockets that never read`,
      unit: "MB",
      values: megabytesOf(many),
      control: { name: "with 10 of them", values: megabytesOf(few) },
      target: { of: "value", is: "at most", bound: 350 },
      notes: [`${((events * EVENT_BYTES) / 1e6).toFixed(0)} MB were published to each socket`],
    },
  ];
}

function measure(context: Context, sockets: number): Promise<Grown> {
  return using(Server.eventbus(context), (server) =>
    using(receiver(context), (received) =>
      using(publisher(context), async (program) => {
        const { port } = server;
        const path = "/api/events/subscribe";
        await received.ask("open", { port, transport: "websocket", path, sockets, areDeaf: true });
        const body = { ...SMALL_EVENT, dataBytes: EVENT_BYTES };
        const load = { port, connections: CONNECTIONS, body, warmupSeconds: 0, windowSeconds: STEP_SECONDS };
        let published = 0;
        for (let seconds = 0; seconds < MAX_SECONDS && published * EVENT_BYTES < BYTES_EACH; seconds += STEP_SECONDS) {
          published += (await program.ask("publish", load)).eventsInAll;
        }
        return { megabytes: server.peakResidentBytes() / 1e6, published };
      }),
    ),
  );
}
