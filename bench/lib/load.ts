import type { PublishCommands } from "../load/publish.ts";
import type { ReceiveCommands } from "../load/receive.ts";
import type { Body } from "../load/requests.ts";
import type { Context } from "./bench.ts";
import { Program } from "./program.ts";
import { serverBusy, type Throughput, using } from "./rounds.ts";
import type { Server } from "./server.ts";

/** A small event: about 200 bytes as subscribers get it. */
export const SMALL_EVENT: Body = { events: 1, topics: 1000, sources: 0, dataBytes: 100 };

export function publisher(context: Context): Program<PublishCommands> {
  return new Program<PublishCommands>("publish", context.folder);
}

export function receiver(context: Context): Program<ReceiveCommands> {
  return new Program<ReceiveCommands>("receive", context.folder);
}

/** Publishes to a server as fast as it acknowledges, and ends it. */
export function measurePublish(
  context: Context,
  opening: Promise<Server>,
  connections: number,
  body: Body,
): Promise<Throughput> {
  return using(opening, (server) => publishTo(context, server, connections, body));
}

/** Publishes to the server as fast as it acknowledges. */
export function publishTo(context: Context, server: Server, connections: number, body: Body): Promise<Throughput> {
  const { warmupSeconds, windowSeconds } = context;
  return using(publisher(context), async (program) => {
    const [result, busy] = await Promise.all([
      program.ask("publish", { port: server.port, connections, body, warmupSeconds, windowSeconds }),
      serverBusy(server, context),
    ]);
    return { eventsPerSecond: result.eventsPerSecond, generatorBusy: result.generatorBusy, serverBusy: busy };
  });
}

export function perSecond(rounds: readonly { readonly eventsPerSecond: number }[]): number[] {
  return rounds.map((round) => round.eventsPerSecond);
}
