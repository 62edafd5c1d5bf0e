import { benchBeside } from "../lib/long-work.ts";
import type { Server } from "../lib/server.ts";

export const backup = benchBeside({
  name: "backup",
  title: "Publishing while a backup is made",
  clause: "which `GET /api/backup` copies and sends",
  noun: "a backup",
  participle: "backed up",
  note: "copied",
  flags: [],
  maxExcessMs: 50,
  run: download,
});

async function download({ url }: Server): Promise<string> {
  const response = await fetch(`${url}/api/backup`);
  if (!response.ok) throw new Error(`the backup was refused: ${await response.text()}`);
  let bytes = 0;
  for await (const chunk of response.body ?? []) bytes += chunk.length;
  return `${(bytes / 1e6).toFixed(0)} MB`;
}
