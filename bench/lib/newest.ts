import type { AskCommands } from "../load/ask.ts";
import type { Program } from "./program.ts";
import type { Server } from "./server.ts";

/** Requests the newest 50 events of `count` topics or patterns, one after another; resolves with the milliseconds each took. */
export async function askNewest(
  program: Program<AskCommands>,
  { port }: Server,
  count: number,
  pattern: () => string,
): Promise<readonly number[]> {
  const paths = Array.from({ length: count }, () => `/api/events/history?last=50&topic=${pattern()}`);
  return (await program.ask("ask", { port, paths })).timesMs;
}
