import { Command } from "commander";
import type { TopicSummary } from "../client/index.ts";
import { type ConnectionOptions, connectTo, wholeNumber, withConnection } from "./connection.ts";
import { outputOption } from "./history.ts";
import { print } from "./terminal/output.ts";
import { Table } from "./terminal/table.ts";

interface TopicsFlags extends ConnectionOptions {
  readonly limit?: number;
  readonly output?: "json" | "table";
}

/** Topics per request, if that many are wanted: a response is held in memory as a whole. */
const PAGE = 1000;

const TOPICS_EXAMPLES = `
Topics are sorted by name, in code point order. They are printed page by page,
so there may be any number of them.

Examples:
  $ eventbus topics
  $ eventbus topics 'orders.*' --output json | jq -r .topic`;

const PRUNE_EXAMPLES = `
Prints {"pruned":n}. The rules are those of \`eventbus serve\`: --max-history,
--max-age and --max-bytes.

Example:
  $ eventbus prune`;

/** The command that lists topics. */
export function topicsCommand(): Command {
  const command = new Command("topics")
    .description("list the topics in the history")
    .argument("[patterns...]", "topic patterns; default: all")
    .option("--limit <n>", "maximum number of topics to print; default: all", wholeNumber(1))
    .addOption(outputOption())
    .addHelpText("after", TOPICS_EXAMPLES);
  return withConnection(command).action(async (patterns: string[], flags: TopicsFlags) => {
    await printTopics(patterns, flags);
  });
}

async function printTopics(patterns: readonly string[], flags: TopicsFlags): Promise<void> {
  let left = flags.limit ?? Number.POSITIVE_INFINITY;
  const isTable = (flags.output ?? (process.stdout.isTTY ? "table" : "json")) === "table";
  const table = new Table("TOPIC", "COUNT", "LAST_ID", "LAST_AT");
  for await (const page of connectTo(flags).topicPages(patterns, { limit: Math.min(left, PAGE) })) {
    const topics = page.slice(0, left);
    await print(isTable ? table.text(topics.map(cellsOf)) : topics.map((one) => `${JSON.stringify(one)}\n`).join(""));
    left -= topics.length;
    if (left === 0) return;
  }
}

function cellsOf({ topic, count, last_id, last_at }: TopicSummary): string[] {
  return [topic, String(count), String(last_id), last_at];
}

/** The command that applies the rules of retention. */
export function pruneCommand(): Command {
  return withConnection(new Command("prune"))
    .description("apply the retention rules now, instead of at the next interval")
    .addHelpText("after", PRUNE_EXAMPLES)
    .action(async (flags: ConnectionOptions) => {
      await print(`${JSON.stringify({ pruned: await connectTo(flags).prune() })}\n`);
    });
}
