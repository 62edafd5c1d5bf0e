import { connect } from "node:net";

/** Clients that send requests, each on one connection after another, until they are disposed of. */
export class Flood implements Disposable {
  readonly #port: number;
  readonly #request: string;
  #isOver = false;
  /** Connections on which something was answered. */
  answered = 0;

  /** `request` is sent whole on each connection, which is dropped with the first bytes of an answer. */
  constructor(url: string, clients: number, request: string) {
    this.#port = Number(new URL(url).port);
    this.#request = request;
    for (let client = 0; client < clients; client++) this.#ask();
  }

  /** Resolves when this many more connections were answered. */
  async more(count: number): Promise<void> {
    const wanted = this.answered + count;
    while (this.answered < wanted) await Bun.sleep(1);
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
  }

  #ask(): void {
    if (this.#isOver) return;
    const socket = connect(this.#port, "127.0.0.1", () => socket.write(this.#request));
    socket.on("data", () => {
      this.answered++;
      socket.destroy();
    });
    socket.on("error", () => {});
    socket.on("close", () => setImmediate(() => this.#ask()));
  }
}
