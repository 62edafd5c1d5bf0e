import type { Socket } from "bun";
import { answerCommands } from "./commands.ts";
import { Stretch } from "./cpu.ts";
import { HttpConnection } from "./http-connection.ts";

/** Requests that a client that pipelines writes at once. */
const PIPELINED = 2000;
const ANSWER = Buffer.from("HTTP/1.1 ");

interface CrowdOptions {
  readonly port: number;
  readonly clients: number;
  /** One whole request, as it goes over the wire. */
  readonly request: string;
  /**
   * `kept`: each client asks one by one on a connection that stays. `new`: on a new connection each time, which it leaves
   * with the answer. `pipelined`: thousands at once, on a new connection whenever the last one was closed.
   */
  readonly how: "kept" | "new" | "pipelined";
  readonly seconds: number;
}

interface CrowdResult {
  readonly answersPerSecond: number;
  readonly generatorBusy: number;
}

const commands = {
  /** Asks flat out until the time is over. */
  async ask({ port, clients, request, how, seconds }: CrowdOptions): Promise<CrowdResult> {
    const crowd = new Crowd(port, Buffer.from(request));
    for (let client = 0; client < clients; client++) void crowd.join(how);
    const stretch = new Stretch();
    await Bun.sleep(seconds * 1000);
    crowd.isOver = true;
    return { answersPerSecond: crowd.answers / stretch.seconds, generatorBusy: stretch.busy };
  },
  /** Asks on a connection for each client, and reads nothing of the answers until the time is over. */
  async ignore({ port, clients, request, seconds }: CrowdOptions): Promise<void> {
    const opening = Array.from({ length: clients }, () => deafConnection(port, Buffer.from(request)));
    const sockets = await Promise.all(opening);
    await Bun.sleep(seconds * 1000);
    for (const socket of sockets) socket.terminate();
  },
};
export type CrowdCommands = typeof commands;
answerCommands(commands);

class Crowd {
  answers = 0;
  isOver = false;
  readonly #port: number;
  readonly #request: Buffer;
  readonly #many: Buffer;

  constructor(port: number, request: Buffer) {
    this.#port = port;
    this.#request = request;
    this.#many = Buffer.concat(Array.from({ length: PIPELINED }, () => request));
  }

  async join(how: CrowdOptions["how"]): Promise<void> {
    if (how === "kept") return this.#keep();
    while (!this.isOver) await (how === "new" ? this.#visit() : this.#pipeline());
  }

  async #keep(): Promise<void> {
    const connection = await HttpConnection.open(this.#port);
    connection.onAnswer = (_, status) => {
      if (status === 0) return;
      this.answers++;
      if (this.isOver) connection.close();
      else connection.send(this.#request);
    };
    connection.send(this.#request);
  }

  /** One connection, which ends with the first bytes of its answer. */
  #visit(): Promise<void> {
    return this.#connect(this.#request, (socket) => {
      this.answers++;
      socket.terminate();
    });
  }

  /** One connection, with thousands of requests; they are sent again when all are answered. */
  #pipeline(): Promise<void> {
    let missing = PIPELINED;
    return this.#connect(this.#many, (socket, chunk) => {
      const answers = count(chunk);
      this.answers += answers;
      missing -= answers;
      if (this.isOver) socket.terminate();
      if (missing > 0) return;
      missing = PIPELINED;
      write(socket, this.#many);
    });
  }

  /** Resolves when the connection is closed, or was refused. */
  #connect(bytes: Buffer, onData: (socket: Socket<Unsent>, chunk: Buffer) => void): Promise<void> {
    return new Promise((resolve) => {
      const connecting = Bun.connect<Unsent>({
        hostname: "127.0.0.1",
        port: this.#port,
        data: {},
        socket: {
          open: (socket) => write(socket, bytes),
          drain: (socket) => write(socket, socket.data.bytes ?? Buffer.alloc(0)),
          data: onData,
          close: () => resolve(),
        },
      });
      connecting.catch(() => resolve());
    });
  }
}

interface Unsent {
  bytes?: Buffer;
}

function write(socket: Socket<Unsent>, bytes: Buffer): void {
  const sent = socket.write(bytes);
  socket.data.bytes = bytes.subarray(Math.max(0, sent));
}

function count(chunk: Buffer): number {
  let answers = 0;
  for (let at = chunk.indexOf(ANSWER); at !== -1; at = chunk.indexOf(ANSWER, at + 1)) answers++;
  return answers;
}

async function deafConnection(port: number, request: Buffer): Promise<Socket> {
  const socket = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } });
  socket.pause();
  socket.write(request);
  socket.flush();
  return socket;
}
