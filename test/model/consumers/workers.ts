import { resolve } from "node:path";
import { connect } from "../../../src/client/index.ts";
import type { DeliveryMessage, Settled } from "../../../src/protocol/consumer.ts";
import type { Random } from "../random.ts";
import { ACK_TIMEOUT_MS, type Ledger, type WorkEvent } from "./ledger.ts";

const MAIN = resolve(import.meta.dir, "../../../src/main.ts");
const CREDIT = 4;

/** What a worker does with an event. */
export type Choice = "ack" | "slow" | "late" | "twice" | "nack" | "crash";

/** Where the workers find the server, what they note, and what they choose. */
export interface Work {
  readonly url: string;
  readonly ledger: Ledger;
  readonly random: Random;
  readonly signal: AbortSignal;
  /** How likely a worker crashes with an event, beside 43 for everything else. */
  readonly crashes: number;
  /** The last names of deliveries, of all workers. */
  readonly names: string[];
}

export type Worker = (work: Work) => Promise<void>;

/** Events of this topic are never done. */
export const POISON = "poison";

function choose({ random, crashes }: Work, { topic }: WorkEvent): Choice {
  if (topic === POISON) return "nack";
  return random.weighted({ ack: 30, slow: 6, late: 0.15, twice: 2, nack: 4, crash: crashes });
}

/** Takes and settles by calls. */
export async function overHttp(work: Work): Promise<void> {
  const { url, ledger, random, signal, names } = work;
  const call = async (path: string, body?: object) => {
    const init = { method: "POST", signal, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
    return (await fetch(`${url}/api/consumers/c/${path}`, init)).json();
  };
  while (!signal.aborted) {
    const taken = (await call(`take?max=${random.whole(1, 3)}&wait=100ms`)) as DeliveryMessage[];
    const got = taken.flatMap((one) => ("event" in one ? [{ delivery: one.delivery, event: one.event }] : []));
    for (const { event } of got) ledger.begin(event);
    names.push(...got.map(({ delivery }) => delivery));
    for (const { delivery, event } of got) {
      await handle(work, event, async (kind) => (await call(kind, { deliveries: [delivery] })) as Settled);
    }
  }
}

/** A WebSocket, which sometimes breaks, and tries to settle what is another's. */
export async function overWebSocket(work: Work): Promise<void> {
  while (!work.signal.aborted) await oneSocket(work);
}

async function oneSocket(work: Work): Promise<void> {
  const { url, ledger, random, signal, names } = work;
  const socket = new WebSocket(`${url.replace("http", "ws")}/api/events/subscribe?pattern=.`);
  const out = new Map<string, number>();
  const waiting = new Map<number, (settled: Settled) => void>();
  const closed = Promise.withResolvers<void>();
  let refs = 1;
  const ask = (type: string, deliveries: readonly string[]) =>
    new Promise<Settled>((answer, fail) => {
      waiting.set(++refs, answer);
      void closed.promise.then(() => fail(new Error("the socket is closed")));
      socket.send(JSON.stringify({ type, ref: refs, deliveries }));
    });
  const take = async (delivery: string, event: WorkEvent) => {
    const other = random.pick(names);
    if (random.chance(0.2) && !out.has(other) && (await ask("ack", [other])).done > 0) ledger.settledForOthers();
    await handle(work, event, (kind) => {
      out.delete(delivery);
      return ask(kind, [delivery]);
    });
  };
  socket.onopen = () => socket.send(JSON.stringify({ type: "consume", ref: 1, consumer: "c", credit: CREDIT }));
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(String(data));
    if (message.type === "settled") waiting.get(message.ref)?.(message);
    if (message.type !== "delivery" || !message.event) return;
    ledger.begin(message.event);
    out.set(message.delivery, message.event.id);
    names.push(message.delivery);
    take(message.delivery, message.event).catch(() => {
      // What is out here comes again as soon as the server has noticed.
      for (const id of out.values()) ledger.release(id);
      out.clear();
      socket.close();
    });
  };
  socket.onclose = () => closed.resolve();
  socket.onerror = () => closed.resolve();
  signal.addEventListener("abort", () => socket.close());
  await closed.promise;
}

/** The client library. */
export async function bySdk(work: Work): Promise<void> {
  const { ledger, signal, names } = work;
  const bus = connect(work.url);
  while (!signal.aborted) {
    for await (const one of bus.consume("c", { credit: 1, signal })) {
      if (one.event === undefined) continue;
      ledger.begin(one.event);
      names.push(one.delivery);
      const settle = async (kind: "ack" | "nack") => {
        const isDone = await one[kind]();
        return { done: Number(isDone), unknown: isDone ? [] : [one.delivery] };
      };
      await handle(work, one.event, settle);
    }
  }
}

/** The command, which runs another for each event. That one asks here how to end. */
export async function byCommand(work: Work): Promise<void> {
  const { url, ledger, signal } = work;
  using asked = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      const event = (await request.json()) as WorkEvent;
      ledger.begin(event);
      const isDone = choose(work, event) !== "nack";
      if (isDone) {
        ledger.finish(event.id);
        ledger.unsure(event.id);
      } else ledger.release(event.id);
      return new Response(null, { status: isDone ? 200 : 500 });
    },
  });
  const exec = `curl -sf --data-binary @- ${asked.url.href}`;
  const argv = [process.execPath, MAIN, "consume", "c", "--url", url, "--exec", exec, "--parallel", "2"];
  const child = Bun.spawn(argv, { stdio: ["ignore", "ignore", "ignore"], env: { PATH: process.env["PATH"] } });
  await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  child.kill("SIGKILL");
  await child.exited;
}

/** Does what was chosen. Rejects if the worker crashes. */
async function handle(work: Work, event: WorkEvent, settle: (kind: "ack" | "nack") => Promise<Settled>): Promise<void> {
  const { ledger, random } = work;
  const choice = choose(work, event);
  if (choice === "crash") throw new Error("the worker crashes");
  if (choice === "slow") await Bun.sleep(random.whole(1, 30));
  if (choice === "late") await Bun.sleep(ACK_TIMEOUT_MS * 1.2);
  if (choice === "nack") {
    ledger.release(event.id);
    await settle("nack");
    return;
  }
  ledger.finish(event.id);
  try {
    const { done } = await settle("ack");
    if (done === 0) ledger.rejected(event.id);
    else if (choice === "twice" && (await settle("ack")).done > 0) ledger.settledForOthers();
  } catch (error) {
    ledger.unsure(event.id);
    throw error;
  }
}
