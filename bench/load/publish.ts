import { answerCommands } from "./commands.ts";
import { Stretch } from "./cpu.ts";
import { Flood } from "./flood.ts";
import { HttpConnection } from "./http-connection.ts";
import { PeerConnection, type PeerProtocol, peerRequests } from "./peer-connection.ts";
import { type Body, publishRequests } from "./requests.ts";

/** Different requests, prepared before: enough that no two in a group commit are alike by rule. */
const REQUESTS = 2000;
const MAX_PREPARED_EVENTS = 200_000;

interface PublishOptions {
  readonly port: number;
  readonly connections: number;
  readonly body: Body;
  readonly warmupSeconds: number;
  readonly windowSeconds: number;
}

interface PublishResult {
  readonly eventsPerSecond: number;
  readonly seconds: number;
  /** Events acknowledged from the first to the last, warm-up included. */
  readonly eventsInAll: number;
  readonly generatorBusy: number;
}

interface PeerOptions {
  readonly port: number;
  readonly protocol: PeerProtocol;
  readonly connections: number;
  readonly dataBytes: number;
  readonly warmupSeconds: number;
  readonly windowSeconds: number;
}

const commands = {
  /** Publishes as fast as the server acknowledges: the next request on a connection follows the answer to the last. */
  async publish(options: PublishOptions): Promise<PublishResult> {
    const { body, connections } = options;
    const requests = publishRequests(body, Math.min(REQUESTS, Math.ceil(MAX_PREPARED_EVENTS / body.events)));
    const opened = await Promise.all(Array.from({ length: connections }, () => HttpConnection.open(options.port)));
    return measure(new Flood(opened, requests), options, body.events);
  },

  /** The same with another product's protocol: a message a request. */
  async publishToPeer(options: PeerOptions): Promise<PublishResult> {
    const { port, protocol, connections, dataBytes } = options;
    const opening = Array.from({ length: connections }, () => PeerConnection.open(port, protocol));
    const opened = await Promise.all(opening);
    return measure(new Flood(opened, peerRequests(protocol, dataBytes)), options, 1);
  },
};
export type PublishCommands = typeof commands;
answerCommands(commands);

async function measure(
  flood: Flood,
  { warmupSeconds, windowSeconds }: { readonly warmupSeconds: number; readonly windowSeconds: number },
  events: number,
): Promise<PublishResult> {
  await flood.during(warmupSeconds);
  const before = flood.answers;
  const stretch = new Stretch();
  await flood.during(windowSeconds);
  const { seconds, busy } = stretch;
  const answers = flood.answers - before;
  await flood.stop();
  return {
    eventsPerSecond: (answers * events) / seconds,
    seconds,
    eventsInAll: flood.answers * events,
    generatorBusy: busy,
  };
}
