import { Command, Option } from "commander";
import { momentMs, parseMoment } from "../bus/start.ts";
import type { ReceivedEvent } from "../client/index.ts";
import { type ConnectionOptions, connectTo, warnOfPatterns, wholeNumber, withConnection } from "./connection.ts";
import { print } from "./terminal/output.ts";
import { Table } from "./terminal/table.ts";

interface HistoryFlags extends ConnectionOptions {
  readonly last: number;
  readonly topic?: string[];
  readonly from?: string;
  readonly to?: string;
  readonly source?: string;
  readonly output?: "json" | "table";
}

/** Events per request: a response is held in memory as a whole. */
const PAGE = 1000;

const EXAMPLES = `
Prints one event per line. An event must match every filter that is given.

Examples:
  $ eventbus history
  $ eventbus history 'orders.*' --source shop --last 1000 | jq .data
  $ eventbus history --from 1h
  $ eventbus history --from 2026-11-23T00:00:00Z --output table`;

/** The command that prints past events. */
export function historyCommand(): Command {
  const command = new Command("history")
    .description("print past events, newest first")
    .argument("[patterns...]", "topic patterns, such as 'orders.*'; default: all")
    .option("--last <n>", "maximum number of events to print; has no upper bound", wholeNumber(1), 50)
    .option("--topic <pattern>", "the same as PATTERN; repeatable", (text, all: string[] = []) => [...all, text])
    .option("--from <time>", "earliest time: an RFC 3339 time, or a duration ago such as 10m")
    .option("--to <time>", "latest time: an RFC 3339 time, or a duration ago such as 10m")
    .option("--source <source>", "only events with exactly this source")
    .addOption(outputOption())
    .addHelpText("after", EXAMPLES);
  return withConnection(command).action((patterns: string[], flags: HistoryFlags) => history(patterns, flags));
}

/** `--output json|table`. */
export function outputOption(): Option {
  const help = "output format (default: table on a terminal, json elsewhere)";
  return new Option("--output <form>", help).choices(["json", "table"]);
}

async function history(patterns: readonly string[], flags: HistoryFlags): Promise<void> {
  const { last, source } = flags;
  const topic = [...patterns, ...(flags.topic ?? [])];
  warnOfPatterns(topic);
  const [from, to] = [pinned(flags.from), pinned(flags.to)];
  const isTable = (flags.output ?? (process.stdout.isTTY ? "table" : "json")) === "table";
  const bus = connectTo(flags);
  const table = new Table("ID", "CREATED_AT", "TOPIC", "SOURCE", "DATA");
  let before: number | undefined;
  for (let left = last; left > 0; ) {
    const asked = Math.min(left, PAGE);
    const page = await bus.history({ last: asked, topic, from, to, source, before });
    await print(isTable ? table.text(page.map(cellsOf)) : page.map(({ json }) => `${json}\n`).join(""));
    if (page.length < asked) return;
    left -= page.length;
    before = page.at(-1)?.id;
  }
}

function cellsOf(event: ReceivedEvent): string[] {
  return [String(event.id), event.created_at, event.topic, event.source, event.rawData];
}

/**
 * A duration as the time that it means now, so that all pages have the same bounds; an invalid one is left to the
 * server to reject.
 */
function pinned(text: string | undefined): string | undefined {
  if (text === undefined || !/^\d+[smhd]$/.test(text)) return text;
  return new Date(momentMs(parseMoment(text), Date.now())).toISOString();
}
