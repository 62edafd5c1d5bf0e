import type { Bench, Context, Row } from "../lib/bench.ts";
import { largeHistoryEvents, usingCopy } from "../lib/history-file.ts";
import { measurePublish, perSecond, publishTo, SMALL_EVENT } from "../lib/load.ts";
import { busyNote, type Throughput, takeTurns, using } from "../lib/rounds.ts";
import { Server } from "../lib/server.ts";
import { median } from "../lib/stats.ts";
import { show } from "../lib/verdict.ts";

const CONNECTIONS = 64;

export const publishFull: Bench = {
  name: "publish-full",
  title: "HTTP publish into a full history",
  about:
    "64 kept-alive connections publish one small event per request, as in the HTTP publish bench, into a history of " +
    "10 million events with a `--max-history` of the same number and a retention that runs each second " +
    "(`--prune-interval 1s`): as many events are removed as are published. The control is the same publishing into " +
    "an empty history that keeps everything. A deeper index, pages that must be read before they are written, and " +
    "the deletes themselves show here.",
  run,
};

interface Pruning extends Throughput {
  readonly pruned: number;
}

async function run(context: Context): Promise<readonly Row[]> {
  const { empty, full } = await takeTurns(context, {
    empty: () => measurePublish(context, Server.eventbus(context), CONNECTIONS, SMALL_EVENT),
    full: () => measureFull(context),
  });
  if (full.some(({ pruned }) => pruned === 0)) throw new Error("retention removed nothing");
  return [
    {
      name: `HTTP publish into ${largeHistoryEvents(context) / 1e6} million events with retention at work`,
      unit: "events/s",
      values: perSecond(full),
      control: { name: "into an empty history", values: perSecond(empty) },
      target: { of: "ratio", is: "at least", bound: 0.85 },
      notes: [
        `retention removed ${show(median(full.map(({ pruned }) => pruned)))} events`,
        busyNote("ours", full),
        busyNote("control", empty),
      ],
    },
  ];
}

function measureFull(context: Context): Promise<Pruning> {
  const events = largeHistoryEvents(context);
  return usingCopy(context, events, (file) => {
    const flags = ["--db", file, "--max-history", String(events), "--prune-interval", "1s"];
    return using(Server.eventbus(context, flags), async (server) => {
      const throughput = await publishTo(context, server, CONNECTIONS, SMALL_EVENT);
      return { ...throughput, pruned: (await oldestId(server)) - 1 };
    });
  });
}

async function oldestId({ url }: Server): Promise<number> {
  const answer = await fetch(`${url}/api/stats`);
  const { events } = (await answer.json()) as { events: { first_id: number } };
  return events.first_id;
}
