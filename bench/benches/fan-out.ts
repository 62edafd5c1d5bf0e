import type { Bench, Context, Row } from "../lib/bench.ts";
import { deliveryNote, type FanOut, measureFanOut, SOCKETS } from "../lib/fan-out.ts";
import { perSecond, receiver } from "../lib/load.ts";
import { busyNote, serverBusy, takeTurns, using } from "../lib/rounds.ts";
import { Server } from "../lib/server.ts";

const NDJSON_LINES = 64;

export const fanOut: Bench = {
  name: "fan-out",
  title: "Fan-out to WebSockets",
  about:
    "1,000 WebSockets receive every event while a publisher publishes flat out, once over HTTP (64 connections, one " +
    "event per request) and once over NDJSON (one connection, 64 events per body). Frames that arrive are counted " +
    "by a receiver on bare TCP. Afterwards each socket must have received as many events as were published, and one " +
    "socket, which is read in full, all of them in order. The control is a bare `server.publish` loop, 16 messages " +
    "of the same size per turn of the event loop, which skips a turn when a socket has more than 256 KiB to send, " +
    "since Bun would drop messages for it.",
  run,
};

async function run(context: Context): Promise<readonly Row[]> {
  const websocket = { transport: "websocket", path: "/api/events/subscribe" } as const;
  const messageBytes = await eventBytes(context);
  const { bare, http, ndjson } = await takeTurns(context, {
    bare: () => measureBare(context, messageBytes),
    http: () => measureFanOut(context, Server.eventbus(context), { ...websocket, events: 1 }),
    ndjson: () =>
      measureFanOut(context, Server.eventbus(context), { ...websocket, events: NDJSON_LINES, connections: 1 }),
  });
  const control = { name: "bare server.publish, 16 a turn", values: perSecond(bare) };
  const target = { of: "ratio", is: "at least", bound: 1 } as const;
  const row = (how: string, rounds: readonly FanOut[]): Row => ({
    name: `fan-out to 1,000 WebSockets, published over ${how}`,
    unit: "frames/s",
    values: perSecond(rounds),
    control,
    target,
    notes: [deliveryNote(rounds), busyNote("ours", rounds), busyNote("control", bare)],
  });
  return [row("HTTP", http), row("NDJSON", ndjson)];
}

function measureBare(context: Context, messageBytes: number): Promise<FanOut> {
  return using(Server.control(context, "bare-fan-out", String(messageBytes)), (server) =>
    using(receiver(context), async (received) => {
      await received.ask("open", { port: server.port, transport: "websocket", path: "/", sockets: SOCKETS });
      await fetch(`${server.url}/start`);
      const [result, busy] = await Promise.all([
        Bun.sleep(context.warmupSeconds * 1000).then(() => received.ask("measure", { seconds: context.windowSeconds })),
        serverBusy(server, context),
      ]);
      return { ...result, serverBusy: busy, fault: "" };
    }),
  );
}

/** Size of a small event as subscribers get it. */
function eventBytes(context: Context): Promise<number> {
  return using(Server.eventbus(context), async (server) => {
    const data = { value: 1234.56, unit: "kelvin", text: "x".repeat(55) };
    const body = JSON.stringify({ topic: "site50.sensor5", data });
    const answer = await fetch(`${server.url}/api/events/publish`, { method: "POST", body });
    return (await answer.arrayBuffer()).byteLength + 4;
  });
}
