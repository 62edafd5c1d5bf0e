import { answerCommands } from "./commands.ts";
import { Stretch } from "./cpu.ts";
import { FrameTaker } from "./frame-taker.ts";
import { HttpConnection } from "./http-connection.ts";
import { httpRequest } from "./requests.ts";

interface TakersOptions {
  readonly port: number;
  readonly takers: number;
  readonly consumer: string;
  /** Outstanding deliveries at each taker; over HTTP, those of each call. */
  readonly credit: number;
  readonly transport: "websocket" | "http";
}

interface Consumed {
  readonly eventsPerSecond: number;
  readonly generatorBusy: number;
  /** Events that were acknowledged since the takers are open. */
  readonly acknowledged: number;
}

interface Worker {
  readonly events: number;
  readonly failed: Promise<never>;
  close(): void;
}

let workers: Worker[] = [];

const commands = {
  /** Takers of one consumer; resolves when all are connected, and they go on. */
  async open({ port, takers, consumer, credit, transport }: TakersOptions): Promise<void> {
    const openOne = () =>
      transport === "websocket"
        ? FrameTaker.open(port, consumer, credit)
        : CallingTaker.open(port, `/api/consumers/${consumer}`, credit);
    workers.push(...(await Promise.all(Array.from({ length: takers }, openOne))));
  },

  /** Counts what is acknowledged in this time. Rejects when a taker gets something else. */
  async measure({ seconds }: { readonly seconds: number }): Promise<Consumed> {
    const before = total();
    const stretch = new Stretch();
    await Promise.race([Bun.sleep(seconds * 1000), ...workers.map(({ failed }) => failed)]);
    const acknowledged = total();
    return { eventsPerSecond: (acknowledged - before) / stretch.seconds, generatorBusy: stretch.busy, acknowledged };
  },

  async close(): Promise<void> {
    for (const worker of workers) worker.close();
    workers = [];
  },
};
export type ConsumeCommands = typeof commands;
answerCommands(commands);

function total(): number {
  return workers.reduce((sum, { events }) => sum + events, 0);
}

/** A worker over HTTP: takes a batch, acknowledges it in one call, takes the next. */
class CallingTaker implements Worker {
  events = 0;
  readonly #connection: HttpConnection;
  readonly #path: string;
  readonly #take: Buffer;
  readonly #failed = Promise.withResolvers<never>();
  #isClosed = false;

  private constructor(connection: HttpConnection, path: string, max: number) {
    this.#connection = connection;
    this.#path = path;
    this.#take = httpRequest("POST", `${path}/take?max=${max}&wait=10s`);
  }

  static async open(port: number, path: string, max: number): Promise<CallingTaker> {
    const taker = new CallingTaker(await HttpConnection.open(port, { wantsBody: true }), path, max);
    void taker.#run().catch((error) => {
      if (!taker.#isClosed) taker.#failed.reject(error);
    });
    return taker;
  }

  get failed(): Promise<never> {
    return this.#failed.promise;
  }

  close(): void {
    this.#isClosed = true;
    this.#connection.close();
  }

  async #run(): Promise<void> {
    while (!this.#isClosed) {
      const taken = (await this.#connection.ask(this.#take))?.toString() ?? "";
      const deliveries = Array.from(taken.matchAll(/"delivery":("[^"]+"),"attempt"/g), ([, name]) => name);
      if (deliveries.length === 0) continue;
      const body = `{"deliveries":[${deliveries.join(",")}]}`;
      await this.#connection.ask(httpRequest("POST", `${this.#path}/ack`, { body }));
      this.events += deliveries.length;
    }
  }
}
