import { answerCommands } from "./commands.ts";
import { Stretch } from "./cpu.ts";
import { HttpConnection } from "./http-connection.ts";
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

const commands = {
  /** Publishes as fast as the server acknowledges: the next request on a connection follows the answer to the last. */
  async publish(options: PublishOptions): Promise<PublishResult> {
    const { body, connections } = options;
    const requests = publishRequests(body, Math.min(REQUESTS, Math.ceil(MAX_PREPARED_EVENTS / body.events)));
    const opened = await Promise.all(Array.from({ length: connections }, () => HttpConnection.open(options.port)));
    const flood = new Flood(opened, requests);
    await flood.during(options.warmupSeconds);
    const before = flood.answers;
    const stretch = new Stretch();
    await flood.during(options.windowSeconds);
    const { seconds, busy } = stretch;
    const answers = flood.answers - before;
    await flood.stop();
    return {
      eventsPerSecond: (answers * body.events) / seconds,
      seconds,
      eventsInAll: flood.answers * body.events,
      generatorBusy: busy,
    };
  },
};
export type PublishCommands = typeof commands;
answerCommands(commands);

class Flood {
  answers = 0;
  #next = 0;
  #underWay = 0;
  #isStopping = false;
  readonly #failed = Promise.withResolvers<never>();
  readonly #ended = Promise.withResolvers<void>();
  readonly #connections: readonly HttpConnection[];
  readonly #requests: readonly Buffer[];

  constructor(connections: readonly HttpConnection[], requests: readonly Buffer[]) {
    this.#connections = connections;
    this.#requests = requests;
    for (const connection of connections) {
      connection.onAnswer = (_, status, body) => this.#answered(connection, status, body);
      this.#send(connection);
    }
  }

  /** Rejects at once when a request fails. */
  during(seconds: number): Promise<void> {
    return Promise.race([Bun.sleep(seconds * 1000), this.#failed.promise]);
  }

  /** Resolves when what is under way is answered. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.race([this.#ended.promise, this.#failed.promise]);
    for (const connection of this.#connections) connection.close();
  }

  #send(connection: HttpConnection): void {
    const request = this.#requests[this.#next++ % this.#requests.length];
    if (request === undefined) return;
    this.#underWay++;
    connection.send(request);
  }

  #answered(connection: HttpConnection, status: number, body: Buffer | undefined): void {
    if (status !== 200) {
      this.#failed.reject(new Error(`a publish was answered with ${status}: ${body?.toString().slice(0, 500)}`));
      return;
    }
    this.answers++;
    this.#underWay--;
    if (!this.#isStopping) this.#send(connection);
    else if (this.#underWay === 0) this.#ended.resolve();
  }
}
