import { answerCommands } from "./commands.ts";
import { Stretch } from "./cpu.ts";
import { type Counter, FrameCounter, FrameReader, StreamCounter } from "./frames.ts";
import { IdReader } from "./id-reader.ts";
import { OrderCheck } from "./order-check.ts";
import { Subscriber, type Transport } from "./subscriber.ts";

/** Handshakes under way at a time. */
const OPENING_AT_A_TIME = 100;
/** How often a slow reader takes what has come. */
const SLOW_TICK_MS = 1000;
/** Between two looks at the sockets we sleep, so that each look finds more and the reading costs less. */
const REST_MS = 10;
const MANY_SOCKETS = 100;

interface OpenOptions {
  readonly port: number;
  readonly transport: Transport;
  readonly path: string;
  readonly sockets: number;
  /** Paths of WebSockets, one for each, instead of `path`; the ids on each must rise. */
  readonly paths?: readonly string[];
  /** Sockets that take a little and then pause, again and again: readers that are too slow. */
  readonly areSlow?: boolean;
  /** Sockets that take nothing after the handshake. */
  readonly areDeaf?: boolean;
}

interface Received {
  readonly eventsPerSecond: number;
  readonly seconds: number;
  readonly generatorBusy: number;
}

const subscribers: Subscriber[] = [];
let order = new OrderCheck();

const commands = {
  /** Opens more sockets; resolves when all are accepted. */
  async open(options: OpenOptions): Promise<void> {
    for (let opened = 0; opened < options.sockets; opened += OPENING_AT_A_TIME) {
      const count = Math.min(OPENING_AT_A_TIME, options.sockets - opened);
      const accepted = await Promise.all(Array.from({ length: count }, (_, index) => openOne(options, opened + index)));
      subscribers.push(...accepted);
      if (options.areDeaf) for (const subscriber of accepted) subscriber.pause();
      if (options.areSlow) for (const subscriber of accepted) readSlowly(subscriber);
    }
  },

  /** Counts what comes in this time. */
  async measure({ seconds }: { readonly seconds: number }): Promise<Received> {
    const before = total();
    const stretch = new Stretch();
    await Bun.sleep(seconds * 1000);
    const events = total() - before;
    return { eventsPerSecond: events / stretch.seconds, seconds: stretch.seconds, generatorBusy: stretch.busy };
  },

  /** All that came so far. */
  async count(): Promise<number> {
    return total();
  },

  /** Resolves, when nothing has come for a while, with all that came. */
  async settled(): Promise<{ readonly events: number; readonly fewest: number; readonly disorder: string }> {
    for (let seen = -1; seen !== total(); await Bun.sleep(500)) seen = total();
    const fewest = subscribers.reduce(
      (least, { counter }) => Math.min(least, counter.events),
      Number.POSITIVE_INFINITY,
    );
    return { events: total(), fewest, disorder: order.fault || faultOfReaders() };
  },

  /** Resolves when this many events have come in all, counted from now. */
  async until({ events }: { readonly events: number }): Promise<Received & { readonly disorder: string }> {
    const before = total();
    const stretch = new Stretch();
    while (total() < events) await Bun.sleep(1);
    const { seconds, busy } = stretch;
    return { eventsPerSecond: (total() - before) / seconds, seconds, generatorBusy: busy, disorder: order.fault };
  },

  async close(): Promise<void> {
    for (const subscriber of subscribers.splice(0)) subscriber.close();
    order = new OrderCheck();
  },
};
export type ReceiveCommands = typeof commands;
answerCommands(commands);
setInterval(() => {
  if (subscribers.length >= MANY_SOCKETS) Bun.sleepSync(REST_MS);
}, 1);

function openOne({ port, transport, path, paths }: OpenOptions, index: number): Promise<Subscriber> {
  const ownPath = paths?.[index];
  if (ownPath === undefined)
    return Subscriber.open(port, transport, path, makeCounter(transport, index === 0 && subscribers.length === 0));
  const reader = new IdReader({ after: 0, isGapless: false, keepsIds: false });
  return Subscriber.open(port, transport, ownPath, reader);
}

/** The first WebSocket is read, to see that its events come in order without a gap. */
function makeCounter(transport: Transport, isFirst: boolean): Counter {
  if (transport === "stream") return new StreamCounter();
  const check = order;
  return isFirst ? new FrameReader((text) => check.see(text)) : new FrameCounter();
}

function total(): number {
  return subscribers.reduce((sum, { counter }) => sum + counter.events, 0);
}

/** What was wrong on a socket with a path of its own; empty when nothing was. */
function faultOfReaders(): string {
  return subscribers.map(({ counter }) => (counter instanceof IdReader ? counter.fault : "")).find(Boolean) ?? "";
}

function readSlowly(subscriber: Subscriber): void {
  subscriber.pause();
  const timer = setInterval(() => {
    if (!subscribers.includes(subscriber)) {
      clearInterval(timer);
      return;
    }
    subscriber.resume();
    setImmediate(() => subscriber.pause());
  }, SLOW_TICK_MS);
}
