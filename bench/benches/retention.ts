import { benchBeside } from "../lib/long-work.ts";
import type { Server } from "../lib/server.ts";

export const retention = benchBeside({
  name: "retention",
  title: "Publishing while old events are pruned",
  clause: "of which `POST /api/events/prune` keeps the newest 1,000",
  noun: "pruning",
  participle: "pruned",
  note: "pruned",
  flags: ["--max-history", "1000", "--prune-interval", "24h"],
  maxExcessMs: 25,
  run: prune,
});

async function prune({ url }: Server): Promise<string> {
  const answer = await fetch(`${url}/api/events/prune`, { method: "POST" });
  return `${((await answer.json()) as { pruned: number }).pruned} events`;
}
