import { answerCommands } from "./commands.ts";
import { Stretch } from "./cpu.ts";
import { FrameCounter } from "./frames.ts";
import { Subscriber } from "./subscriber.ts";

/** A server that falls so far behind with accepting is not asked for more. */
const MAX_UNDER_WAY = 200;

interface ConnectOptions {
  readonly port: number;
  /** Paths of the WebSockets, used in turn. */
  readonly paths: readonly string[];
  /** Connects a second. */
  readonly rate: number;
  readonly seconds: number;
  /** How many stay open: each one more closes the oldest. */
  readonly kept: number;
}

interface Connected {
  readonly connectsPerSecond: number;
  readonly generatorBusy: number;
}

const commands = {
  /** WebSockets come and go by the clock. Rejects when one is refused. */
  async connect({ port, paths, rate, seconds, kept }: ConnectOptions): Promise<Connected> {
    const open: Subscriber[] = [];
    const stretch = new Stretch();
    let begun = 0;
    let accepted = 0;
    let fault: unknown;
    const connect = async () => {
      const path = paths[begun++ % paths.length] ?? "";
      open.push(await Subscriber.open(port, "websocket", path, new FrameCounter()));
      accepted++;
      if (open.length > kept) open.shift()?.close();
    };
    while (stretch.seconds < seconds && fault === undefined) {
      while (begun < stretch.seconds * rate && begun - accepted < MAX_UNDER_WAY) {
        connect().catch((error) => {
          fault ??= error;
        });
      }
      await Bun.sleep(1);
    }
    if (fault !== undefined) throw fault;
    const result = { connectsPerSecond: accepted / stretch.seconds, generatorBusy: stretch.busy };
    for (const subscriber of open) subscriber.close();
    return result;
  },
};
export type ConnectCommands = typeof commands;
answerCommands(commands);
