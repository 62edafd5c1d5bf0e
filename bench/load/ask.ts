import { answerCommands } from "./commands.ts";
import { HttpConnection } from "./http-connection.ts";
import { httpRequest } from "./requests.ts";

interface AskOptions {
  readonly port: number;
  /** Paths with their queries, asked one after another on one connection. */
  readonly paths: readonly string[];
}

const commands = {
  /** How long each answer took, and the events in them, when each is a JSON array of events. */
  async ask({ port, paths }: AskOptions): Promise<{ readonly timesMs: number[]; readonly events: number[] }> {
    const connection = await HttpConnection.open(port, { wantsBody: true });
    const timesMs: number[] = [];
    const events: number[] = [];
    for (const path of paths) {
      const request = httpRequest("GET", path);
      const startMs = performance.now();
      const body = await connection.ask(request);
      timesMs.push(performance.now() - startMs);
      events.push((JSON.parse(body?.toString() ?? "[]") as unknown[]).length);
    }
    connection.close();
    return { timesMs, events };
  },
};
export type AskCommands = typeof commands;
answerCommands(commands);
