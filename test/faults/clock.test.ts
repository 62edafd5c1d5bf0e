import { expect, test } from "bun:test";
import type { EventMessage } from "../../src/protocol/event.ts";
import type { Binary } from "../helpers/binary.ts";
import { history, post, publish, wholeHistory } from "../helpers/http.ts";
import { randomFrom } from "../helpers/load.ts";
import { describeWith } from "../helpers/requires.ts";
import { report, rounds, SEED } from "../helpers/rounds.ts";
import { Layer } from "./lib/layer.ts";
import { type Cheat, startServer } from "./lib/server.ts";

const STEPS = rounds(10, 200);
const HOUR_MS = 3_600_000;
const MAX_STEP_MS = 48 * HOUR_MS;

/** A server whose clock can be set, and which removes what is old as soon as it may. */
class ClockedServer implements AsyncDisposable {
  readonly #layer: Layer;
  readonly #server: Binary;

  static async start(compiler: string, args: readonly string[], cheat?: Cheat): Promise<ClockedServer> {
    const layer = new Layer(compiler);
    try {
      const all = ["--db", layer.history, "--prune-interval", "100ms", ...args];
      const options = { folder: layer.folder, args: all, env: layer.env() };
      return new ClockedServer(layer, await startServer(options, cheat));
    } catch (error) {
      layer[Symbol.dispose]();
      throw error;
    }
  }

  private constructor(layer: Layer, server: Binary) {
    this.#layer = layer;
    this.#server = server;
  }

  get url(): string {
    return this.#server.url;
  }

  /** Sets the clock ahead by this much of the real one. Resolves once that was reported, or what it must not do is done. */
  async setClock(byMs: number, isHarmed: () => Promise<boolean> = async () => false): Promise<void> {
    const steps = this.#stepsReported;
    this.#layer.setClock(byMs);
    while (this.#stepsReported === steps && !(await isHarmed())) await Bun.sleep(10);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
    this.#layer[Symbol.dispose]();
  }

  /** How often the log says that the clock was set. */
  get #stepsReported(): number {
    return this.#server.stderr.match(/the clock was set/g)?.length ?? 0;
  }
}

/** Fails the test unless ids and times ascend, and every event is kept, whatever the clock is set to. */
async function publishWhileSet(compiler: string, clocksMs: readonly number[], cheat?: Cheat): Promise<void> {
  await using server = await ClockedServer.start(compiler, ["--max-age", "1h"], cheat);
  const first = await publish(server.url, "first", 0);
  const isPruned = async () => (await fetch(`${server.url}/api/events/1`)).status !== 200;
  for (const [index, byMs] of clocksMs.entries()) {
    await server.setClock(byMs, isPruned);
    const { id } = await publish(server.url, "a", index + 1);
    expect((await history(server.url, "from=10m")).map((event) => event.id)).toContain(id);
  }
  const events = await wholeHistory(server.url);
  expect(events.map(({ data }) => data)).toEqual([0, ...clocksMs.map((_, index) => index + 1)]);
  expectAscending(events);
  expect(events[0]).toEqual(first);
}

/** Fails the test unless a repeated publish is recognized, whatever the clock is set to. */
async function repeatWhileSet(compiler: string, cheat?: Cheat): Promise<void> {
  await using server = await ClockedServer.start(compiler, [], cheat);
  const send = async () => (await (await post(server.url, '{"topic":"a"}', { key: "k" })).json()) as EventMessage;
  const { id } = await send();
  for (const hours of [24, -24, 1]) {
    await server.setClock(hours * HOUR_MS, async () => (await send()).id !== id);
    expect((await send()).id).toBe(id);
  }
}

describeWith("gcc", "a clock that is set by hours, back and forth,", (compiler) => {
  test("leaves ids and times in order, removes nothing young, and is reported", async () => {
    const random = randomFrom(SEED);
    const clocksMs = Array.from({ length: STEPS }, () => Math.round((random() - 0.5) * MAX_STEP_MS));
    await publishWhileSet(compiler, clocksMs);
    report("clock steps", { steps: STEPS });
  }, 300_000);

  test("forgets no idempotency key early", () => repeatWhileSet(compiler));

  test("lets tokens expire by what it shows", async () => {
    await using server = await ClockedServer.start(compiler, []);
    const make = async (token: object, secret = "") => {
      const headers = { authorization: `Bearer ${secret}` };
      const response = await fetch(`${server.url}/api/tokens`, {
        method: "POST",
        headers,
        body: JSON.stringify(token),
      });
      return (await response.json()).secret as string;
    };
    const admin = await make({ name: "admin", admin: true });
    const expires_at = new Date(Date.now() + HOUR_MS).toISOString();
    const short = await make({ name: "short", subscribe: ["*"], expires_at }, admin);
    const statusOf = async (secret: string) =>
      (await fetch(`${server.url}/api/events/history`, { headers: { authorization: `Bearer ${secret}` } })).status;
    const seen: number[][] = [];
    for (const hours of [0.5, 2, 0, -24]) {
      await server.setClock(hours * HOUR_MS);
      seen.push([await statusOf(admin), await statusOf(short)]);
    }
    expect(seen).toEqual([
      [200, 200],
      [200, 401],
      [200, 200],
      [200, 200],
    ]);
  });

  test("is detected when it removes what is young", async () => {
    await expect(publishWhileSet(compiler, [24 * HOUR_MS], "jumping")).rejects.toThrow("expect(received)");
    await expect(repeatWhileSet(compiler, "jumping")).rejects.toThrow("expect(received)");
  });
});

function expectAscending(events: readonly EventMessage[]): void {
  const times = events.map(({ created_at }) => created_at);
  expect(times).toEqual([...times].sort());
  expect(events.map(({ id }) => id)).toEqual(events.map((_, index) => index + 1));
}
