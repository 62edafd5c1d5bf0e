// Clients in a process of their own, so that they do not slow down the measuring one: crowd.ts '{"port":…,"count":…}'.
import { connect, type Socket } from "node:net";
import { constants, setPriority } from "node:os";

/**
 * What clients do once they have sent their bytes: leave the answer in the kernel, read it, send the same again after
 * it (it ends where nothing more comes for a moment), or begin again with a new connection at its first bytes.
 */
type Manner = "ignore" | "read" | "repeat" | "reconnect";

export interface CrowdOptions {
  readonly port: number;
  readonly count: number;
  /** A character each. */
  readonly bytes: string;
  readonly manner: Manner;
}

/** A pause after which an answer is taken to be whole, in milliseconds. */
const PAUSE_MS = 2;

/** Starts the clients; they end when it is disposed of. */
export function startCrowd(options: CrowdOptions): Disposable {
  const child = Bun.spawn([process.execPath, import.meta.path, JSON.stringify(options)], { stdio: ["ignore", 1, 2] });
  return { [Symbol.dispose]: () => child.kill("SIGKILL") };
}

function begin(options: CrowdOptions): void {
  const { port, manner } = options;
  const bytes = Buffer.from(options.bytes, "latin1");
  const socket = connect(port, "127.0.0.1", () => socket.write(bytes));
  socket.on("error", () => {});
  if (manner === "ignore") socket.pause();
  if (manner === "read") socket.resume();
  if (manner === "repeat") repeat(socket, bytes);
  if (manner === "reconnect") {
    socket.on("data", () => socket.destroy());
    socket.on("close", () => setImmediate(() => begin(options)));
  }
}

function repeat(socket: Socket, bytes: Buffer): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  socket.on("data", () => {
    clearTimeout(timer);
    timer = setTimeout(() => socket.write(bytes), PAUSE_MS);
  });
  socket.on("close", () => clearTimeout(timer));
}

if (import.meta.main) {
  // Real ones have machines of their own: here, they may only use what the server and the measuring process leave.
  setPriority(constants.priority.PRIORITY_LOW);
  const options: CrowdOptions = JSON.parse(process.argv[2] ?? "");
  for (let count = 0; count < options.count; count++) begin(options);
}
