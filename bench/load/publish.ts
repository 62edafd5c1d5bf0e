import { answerCommands } from "./commands.ts";
import { Stretch } from "./cpu.ts";
import { Flood } from "./flood.ts";
import { FrameFlood, publishFrames } from "./frame-flood.ts";
import { HttpConnection } from "./http-connection.ts";
import { PeerConnection, type PeerProtocol, peerRequests } from "./peer-connection.ts";
import { type Body, publishRequests, withNewKey } from "./requests.ts";

/** Different requests, prepared before: enough that those of one group commit differ. */
const REQUESTS = 2000;
/** Events in all of them, unless more are needed for most series to occur; and the most that memory allows. */
const PREPARED_EVENTS = 200_000;
const MAX_PREPARED_EVENTS = 600_000;

interface FloodOptions {
  readonly port: number;
  readonly connections: number;
  readonly body: Body;
}

interface PublishOptions extends FloodOptions {
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

interface FrameOptions {
  readonly port: number;
  readonly path: string;
  /** Frames that are sent before the first is acknowledged. */
  readonly inFlight: number;
  readonly body: Body;
  readonly warmupSeconds: number;
  readonly windowSeconds: number;
}

interface PeerOptions {
  readonly port: number;
  readonly protocol: PeerProtocol;
  readonly connections: number;
  readonly dataBytes: number;
  readonly warmupSeconds: number;
  readonly windowSeconds: number;
}

/** Between `begin` and `end`. */
let begun: { readonly flood: Flood; readonly stretch: Stretch; readonly events: number } | undefined;

const commands = {
  /** Publishes as fast as the server acknowledges: the next request on a connection follows the answer to the last. */
  async publish(options: PublishOptions): Promise<PublishResult> {
    return measure(await openFlood(options), options, options.body.events);
  },

  /** Publishes in the same way until `end`; resolves when it is under way. */
  async begin(options: FloodOptions): Promise<void> {
    begun = { flood: await openFlood(options), stretch: new Stretch(), events: options.body.events };
  },

  async end(): Promise<PublishResult> {
    if (begun === undefined) throw new Error("nothing has begun");
    const { flood, stretch, events } = begun;
    const { seconds, busy } = stretch;
    const eventsPerSecond = (flood.answers * events) / seconds;
    await flood.stop();
    return { eventsPerSecond, seconds, eventsInAll: flood.answers * events, generatorBusy: busy };
  },

  /** Publishes on one WebSocket, `inFlight` frames at a time. */
  async publishFrames(options: FrameOptions): Promise<PublishResult> {
    const flood = new FrameFlood(publishFrames(options.body, REQUESTS), options.inFlight);
    await flood.start(options.port, options.path);
    return measure(flood, options, 1);
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

async function openFlood({ port, connections, body }: FloodOptions): Promise<Flood> {
  const requests = publishRequests(body, requestCount(body));
  const opened = await Promise.all(Array.from({ length: connections }, () => HttpConnection.open(port)));
  return new Flood(opened, requests, body.hasKey ? withNewKey : undefined);
}

function requestCount({ events, topics, sources }: Body): number {
  const series = topics * Math.max(1, sources);
  const inAll = Math.min(Math.max(PREPARED_EVENTS, 2 * series), MAX_PREPARED_EVENTS);
  return events === 1
    ? Math.min(Math.max(REQUESTS, topics), PREPARED_EVENTS)
    : Math.min(REQUESTS, Math.ceil(inAll / events));
}

async function measure(
  flood: Flood | FrameFlood,
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
