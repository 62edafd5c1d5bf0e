import type { Transport } from "../load/subscriber.ts";
import type { Context } from "./bench.ts";
import { publisher, receiver, SMALL_EVENT } from "./load.ts";
import { serverBusy, type Throughput, using } from "./rounds.ts";
import type { Server } from "./server.ts";

export const SOCKETS = 1000;
const CONNECTIONS = 64;

export interface FanOut extends Throughput {
  /** What was wrong with what the sockets got; empty when each got all, in order. */
  readonly fault: string;
}

export interface FanOutOptions {
  readonly transport: Transport;
  readonly path: string;
  /** Events in one publish. */
  readonly events: number;
  readonly connections?: number;
  /** Sockets of each server. */
  readonly sockets?: number;
}

/** Publishes to the server as fast as it acknowledges, and counts what its subscribers get. */
export function measureFanOut(context: Context, opening: Promise<Server>, options: FanOutOptions): Promise<FanOut> {
  return using(opening, (server) => fanOutOf(context, [server], options));
}

/** Publishes to the first server, and counts what the subscribers of all get. */
export function fanOutOf(
  context: Context,
  servers: readonly [Server, ...Server[]],
  { transport, path, events, connections = CONNECTIONS, sockets = SOCKETS }: FanOutOptions,
): Promise<FanOut> {
  const { warmupSeconds, windowSeconds } = context;
  const [server] = servers;
  return using(receiver(context), (received) =>
    using(publisher(context), async (published) => {
      for (const { port } of servers) await received.ask("open", { port, transport, path, sockets });
      const body = { ...SMALL_EVENT, events };
      const { port } = server;
      const flood = { port, connections, body, warmupSeconds: 0, windowSeconds: warmupSeconds + windowSeconds + 1 };
      const flooding = published.ask("publish", flood);
      const [result, busy] = await Promise.all([
        Bun.sleep(warmupSeconds * 1000).then(() => received.ask("measure", { seconds: windowSeconds })),
        serverBusy(server, context),
      ]);
      const { eventsInAll } = await flooding;
      const fault = faultOf(await received.ask("settled"), eventsInAll, servers.length * sockets);
      return { ...result, serverBusy: busy, fault };
    }),
  );
}

/** Compares the events of the sockets with what was published. */
function faultOf(
  settled: { events: number; fewest: number; disorder: string },
  published: number,
  sockets: number,
): string {
  if (settled.disorder !== "") return `out of order: ${settled.disorder}`;
  if (settled.events === published * sockets) return "";
  return `${published} events were published, and a socket got ${settled.fewest}`;
}

/** States that everything was received, or throws, since a figure for a part of it means nothing. */
export function deliveryNote(rounds: readonly FanOut[]): string {
  const fault = rounds.find((round) => round.fault !== "")?.fault;
  if (fault !== undefined) throw new Error(fault);
  return "each subscriber got every event, in order";
}
