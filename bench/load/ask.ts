import { answerCommands } from "./commands.ts";
import { HttpConnection } from "./http-connection.ts";
import { httpRequest } from "./requests.ts";

interface AskOptions {
  readonly port: number;
  /** Paths with their queries, asked one after another on one connection. */
  readonly paths: readonly string[];
}

interface AskForOptions extends AskOptions {
  /** The paths are asked in turn for this long. */
  readonly seconds: number;
  /** Connections that ask at once, each a part of the paths; default 1. */
  readonly connections?: number;
}

interface Asked {
  readonly timesMs: number[];
  /** Elements of each answer, when each is a JSON array. */
  readonly events: number[];
}

const commands = {
  /** How long each answer took, and the events in them, when each is a JSON array of events. */
  async ask({ port, paths }: AskOptions): Promise<Asked> {
    return askAll(port, paths, () => true);
  },

  /** The same, until the time is over or all were asked. */
  async askFor({ port, paths, seconds, connections = 1 }: AskForOptions): Promise<Asked> {
    const endMs = performance.now() + seconds * 1000;
    const asked = await Promise.all(
      Array.from({ length: connections }, (_, part) => {
        const own = paths.filter((_, index) => index % connections === part);
        return askAll(port, own, () => performance.now() < endMs);
      }),
    );
    return { timesMs: asked.flatMap(({ timesMs }) => timesMs), events: asked.flatMap(({ events }) => events) };
  },
};
export type AskCommands = typeof commands;
answerCommands(commands);

async function askAll(port: number, paths: readonly string[], goesOn: () => boolean): Promise<Asked> {
  const connection = await HttpConnection.open(port, { wantsBody: true });
  const timesMs: number[] = [];
  const events: number[] = [];
  for (const path of paths) {
    if (!goesOn()) break;
    const request = httpRequest("GET", path);
    const startMs = performance.now();
    const body = await connection.ask(request);
    timesMs.push(performance.now() - startMs);
    events.push((JSON.parse(body?.toString() ?? "[]") as unknown[]).length);
  }
  connection.close();
  return { timesMs, events };
}
