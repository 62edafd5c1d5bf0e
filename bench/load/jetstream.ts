import { DeliverPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { answerCommands } from "./commands.ts";

const STREAM = "raw";
const SUBJECT = "raw.events";
/** How long deliveries are awaited after the last acknowledgement, in milliseconds. */
const GRACE_MS = 200;

interface SteadyOptions {
  readonly port: number;
  /** Messages a second, whether or not the earlier ones are acknowledged. */
  readonly rate: number;
  /** How many may be under way; one more waits, and its wait counts. */
  readonly inFlight: number;
  readonly seconds: number;
}

const commands = {
  /** Publishes messages by the clock; resolves with the times from when each was due until a consumer had it. */
  async steady({ port, rate, inFlight, seconds }: SteadyOptions): Promise<{ readonly deliveredMs: number[] }> {
    const [own, other] = await Promise.all([connect({ port }), connect({ port })]);
    const { streams } = await jetstreamManager(own);
    await streams.add({ name: STREAM, subjects: [SUBJECT], storage: "file" });
    const deliveredMs: number[] = [];
    await follow(other, (dueMs) => void deliveredMs.push(performance.now() - dueMs));
    await publishByClock(own, rate, inFlight, seconds);
    await Bun.sleep(GRACE_MS);
    await Promise.all([own.close(), other.close()]);
    return { deliveredMs };
  },
};
export type JetStreamCommands = typeof commands;
answerCommands(commands);

/** As a node follows its stream. */
async function follow(connection: NatsConnection, onMessage: (dueMs: number) => void): Promise<void> {
  const consumer = await jetstream(connection).consumers.get(STREAM, { deliver_policy: DeliverPolicy.New });
  await consumer.consume({ callback: (message) => onMessage(message.json<{ due: number }>().due) });
}

async function publishByClock(connection: NatsConnection, rate: number, inFlight: number, seconds: number) {
  const client = jetstream(connection);
  const [due, underWay] = [[] as number[], new Set<Promise<unknown>>()];
  const text = "x".repeat(80);
  const startMs = performance.now();
  let begun = 0;
  const sendDue = () => {
    while (due.length > 0 && underWay.size < inFlight) {
      const sending = client.publish(SUBJECT, JSON.stringify({ due: due.shift(), text })).then(() => {
        underWay.delete(sending);
        sendDue();
      });
      underWay.add(sending);
    }
  };
  const timer = setInterval(() => {
    const nowMs = performance.now();
    for (; begun < ((nowMs - startMs) / 1000) * rate; begun++) due.push(nowMs);
    sendDue();
  }, 1);
  await Bun.sleep(seconds * 1000);
  clearInterval(timer);
  while (underWay.size > 0) await Promise.all(underWay);
}
