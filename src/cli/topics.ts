import { Command } from "commander";
import { type ConnectionOptions, connectTo, withConnection } from "./connection.ts";
import { outputOption } from "./history.ts";
import { print } from "./output.ts";
import { Table } from "./table.ts";

interface TopicsFlags extends ConnectionOptions {
  readonly output?: "json" | "table";
}

const TOPICS_EXAMPLES = `
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
    .description("list the topics that history keeps events of")
    .argument("[patterns...]", "which topics; all when left out")
    .addOption(outputOption())
    .addHelpText("after", TOPICS_EXAMPLES);
  return withConnection(command).action(async (patterns: string[], flags: TopicsFlags) => {
    const topics = await connectTo(flags).topics(patterns);
    const isTable = (flags.output ?? (process.stdout.isTTY ? "table" : "json")) === "table";
    const cells = topics.map((one) => [one.topic, String(one.count), String(one.last_id), one.last_at]);
    if (isTable) await print(new Table("TOPIC", "COUNT", "LAST_ID", "LAST_AT").text(cells));
    else await print(topics.map((one) => `${JSON.stringify(one)}\n`).join(""));
  });
}

/** The command that applies the rules of retention. */
export function pruneCommand(): Command {
  return withConnection(new Command("prune"))
    .description("apply the retention rules now, rather than within the prune interval")
    .addHelpText("after", PRUNE_EXAMPLES)
    .action(async (flags: ConnectionOptions) => {
      await print(`${JSON.stringify({ pruned: await connectTo(flags).prune() })}\n`);
    });
}
