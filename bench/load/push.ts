import { answerCommands } from "./commands.ts";
import { Stretch } from "./cpu.ts";

let received = 0;

const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch: async (request) => {
    await request.text();
    received++;
    return new Response(null, { status: 204 });
  },
});

const commands = {
  /** Where it receives what is posted. */
  async url(): Promise<string> {
    return server.url.href;
  },

  /** Counts what is received in this time. */
  async measure({ seconds }: { readonly seconds: number }) {
    const before = received;
    const stretch = new Stretch();
    await Bun.sleep(seconds * 1000);
    return { eventsPerSecond: (received - before) / stretch.seconds, generatorBusy: stretch.busy };
  },
};
export type PushCommands = typeof commands;
answerCommands(commands);
