import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { httpRequest } from "../load/requests.ts";
import type { Context } from "./bench.ts";
import { Child } from "./child.ts";
import { freePort } from "./server.ts";

/** Starts a program and resolves with the milliseconds until it has answered a request with 200; then ends it. */
export async function timeToFirstAnswer(
  context: Context,
  argv: (port: number) => readonly string[],
  path: string,
): Promise<number> {
  const port = freePort();
  const logFile = join(mkdtempSync(join(context.folder, "start-")), "log");
  const startMs = performance.now();
  const child = new Child(argv(port), { role: "server", logFile });
  try {
    const request = httpRequest("GET", path);
    while (!(await answers(port, request))) {
      if (performance.now() - startMs > 30_000) throw new Error(`a program did not start: ${child.log}`);
      await Bun.sleep(1);
    }
    return performance.now() - startMs;
  } finally {
    await child.stop();
  }
}

/** False when the connection is refused; resolves when there is an answer. */
function answers(port: number, request: Buffer): Promise<boolean> {
  return new Promise((resolve) => {
    Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: {
        open: (socket) => void socket.write(request),
        data: (socket, chunk) => {
          resolve(chunk.toString("latin1", 9, 12) === "200");
          socket.end();
        },
        close: () => resolve(false),
        connectError: () => resolve(false),
      },
    }).catch(() => resolve(false));
  });
}
