import { describeAnswer } from "./http-connection.ts";

/** Sends one request at a time and reports its answer. */
export interface Connection {
  /** Status 200 is good; the body is there when the status is a different one. */
  onAnswer: (connection: never, status: number, body: Buffer | undefined) => void;
  send(request: Buffer): void;
  close(): void;
}

/** Keeps every connection busy: the next request follows the answer to the last. */
export class Flood {
  answers = 0;
  #next = 0;
  #underWay = 0;
  #isStopping = false;
  readonly #failed = Promise.withResolvers<never>();
  readonly #ended = Promise.withResolvers<void>();
  readonly #connections: readonly Connection[];
  readonly #requests: readonly Buffer[];
  readonly #prepare: (request: Buffer) => Buffer;

  /** The requests are sent in turn; `prepare` turns each into what is sent, by default the request itself. */
  constructor(
    connections: readonly Connection[],
    requests: readonly Buffer[],
    prepare: (request: Buffer) => Buffer = (request) => request,
  ) {
    this.#prepare = prepare;
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

  #send(connection: Connection): void {
    const request = this.#requests[this.#next++ % this.#requests.length];
    if (request === undefined) return;
    this.#underWay++;
    connection.send(this.#prepare(request));
  }

  #answered(connection: Connection, status: number, body: Buffer | undefined): void {
    if (status !== 200) {
      this.#failed.reject(new Error(describeAnswer(status, body)));
      return;
    }
    this.answers++;
    this.#underWay--;
    if (!this.#isStopping) this.#send(connection);
    else if (this.#underWay === 0) this.#ended.resolve();
  }
}
