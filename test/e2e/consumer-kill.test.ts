import { expect, test } from "bun:test";
import type { ConsumerInfo } from "../../src/protocol/consumer.ts";
import { Binary } from "../helpers/binary.ts";
import { expectOk, publishMany } from "../helpers/http.ts";
import { TempFolder } from "../helpers/temp.ts";

/** Lives of the server, and events that are published in each. */
const LIVES = 4;
const EVENTS = 300;
const TOPICS = 7;

interface Taken {
  readonly delivery: string;
  readonly event: { readonly id: number; readonly topic: string };
}

function take(url: string, max: number): Promise<Taken[]> {
  return fetch(`${url}/api/consumers/c/take?max=${max}`, { method: "POST" }).then(expectOk<Taken[]>);
}

async function ack(url: string, taken: readonly Taken[]): Promise<void> {
  const body = JSON.stringify({ deliveries: taken.map(({ delivery }) => delivery) });
  await expectOk(await fetch(`${url}/api/consumers/c/ack`, { method: "POST", body }));
}

test("a server that is killed again and again loses no event of a consumer, and keeps the order of each topic", async () => {
  using folder = TempFolder.onDisk();
  /** By topic, the events in the order in which they were acknowledged. */
  const acknowledged = new Map<string, number[]>();
  let port = 0;
  for (let life = 0; life < LIVES; life++) {
    await using server = await Binary.start({ folder: folder.path, port });
    const { url } = server;
    port = Number(new URL(url).port);
    if (life === 0) await fetch(`${url}/api/consumers/c`, { method: "PUT", body: '{"pattern":["t.*"]}' });
    const events = Array.from({ length: EVENTS }, (_, data) => ({ topic: `t.${data % TOPICS}`, data }));
    const publishing = publishMany(url, events);
    // The last life works until nothing is left; the others are killed in the middle.
    for (let round = 0; life === LIVES - 1 || round < 40; round++) {
      const taken = await take(url, 5);
      if (life === LIVES - 1 && taken.length === 0) break;
      await ack(url, taken);
      for (const { event } of taken) {
        acknowledged.set(event.topic, [...(acknowledged.get(event.topic) ?? []), event.id]);
      }
      if (round === 0) await publishing;
    }
    if (life < LIVES - 1) await server.kill();
    else {
      const info = await expectOk<ConsumerInfo>(await fetch(`${url}/api/consumers/c`));
      expect(info).toMatchObject({ lag: 0, dead: 0, gaps: 0, place: LIVES * EVENTS });
    }
  }
  const ids = [...acknowledged.values()].flat();
  expect(new Set(ids).size).toBe(LIVES * EVENTS);
  // A crash repeats the newest ones; what is new of a topic still comes in order.
  for (const some of acknowledged.values()) {
    const first = [...new Set(some)];
    expect(first).toEqual(first.toSorted((a, b) => a - b));
  }
});
