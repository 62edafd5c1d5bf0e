import type { Bench, Context, Row } from "../lib/bench.ts";
import { usingCopy } from "../lib/history-file.ts";
import { Program } from "../lib/program.ts";
import { takeTurns, using } from "../lib/rounds.ts";
import { Server } from "../lib/server.ts";
import type { CrowdCommands } from "../load/crowd.ts";

const CLIENTS = 250;
const EVENTS = 1_000_000;
/** Long enough for every answer to fill what the kernel holds for its socket. */
const SECONDS = 10;
/** Twice the default of `--max-waiting`: what waits, and as much that was sent and is not collected yet. */
const LIMIT_MB = 537;

export const unreadAnswers: Bench = {
  name: "unread-answers",
  title: "Memory of answers that are not read",
  about:
    `${CLIENTS} clients request 10,000 events each, a JSON array of some 2 MB, of a history of 1 million, and read ` +
    `nothing of the response for ${SECONDS} seconds. The figure is the largest resident memory of the server at any ` +
    "time. Kernel memory for the sockets is not counted. The control is the same with one such client.",
  run,
};

async function run(context: Context): Promise<readonly Row[]> {
  const { one, many } = await takeTurns(context, {
    one: () => measure(context, 1),
    many: () => measure(context, CLIENTS),
  });
  return [
    {
      name: `memory with ${CLIENTS} histories that are not read`,
      unit: "MB",
      values: many,
      control: { name: "with one of them", values: one },
      target: { of: "excess", is: "at most", bound: LIMIT_MB },
      notes: [
        "the bound is twice --max-waiting: output that is waiting, and output that was sent but is not collected yet",
      ],
    },
  ];
}

function measure(context: Context, clients: number): Promise<number> {
  return usingCopy(context, context.isQuick ? EVENTS / 10 : EVENTS, (file) =>
    using(Server.eventbus(context, ["--db", file]), (server) =>
      using(new Program<CrowdCommands>("crowd", context.folder), async (crowd) => {
        const request = "GET /api/events/history?last=10000 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
        await crowd.ask("ignore", { port: server.port, clients, request, how: "kept", seconds: SECONDS });
        return server.peakResidentBytes() / 1e6;
      }),
    ),
  );
}
