import { Command } from "commander";
import packageJson from "../package.json" with { type: "json" };
import { BusError } from "./bus/errors.ts";
import { areArgumentsValid } from "./cli/arguments.ts";
import { backupCommand } from "./cli/backup.ts";
import { benchCommand } from "./cli/bench.ts";
import { checkCommand } from "./cli/check.ts";
import { completionsCommand } from "./cli/completions.ts";
import { consumeCommand } from "./cli/consumers/consume.ts";
import { consumerCommand } from "./cli/consumers/consumer.ts";
import { reportFailure } from "./cli/failure.ts";
import { historyCommand } from "./cli/history.ts";
import { publishCommand } from "./cli/publish.ts";
import { restoreCommand } from "./cli/restore.ts";
import { clusterCommand } from "./cli/server/cluster.ts";
import { healthcheckCommand } from "./cli/server/healthcheck.ts";
import { serveCommand } from "./cli/server/serve.ts";
import { subscribeCommand } from "./cli/subscribe.ts";
import { flushed } from "./cli/terminal/output.ts";
import { tokenCommand } from "./cli/token.ts";
import { pruneCommand, topicsCommand } from "./cli/topics.ts";
import { versionCommand } from "./cli/version.ts";
import { nearest } from "./text/nearest.ts";

if (import.meta.main) {
  await run(Bun.argv.slice(2));
  await flushed();
  process.exit();
}

/** The tree of all commands, from which help, completions and the reference are made. */
export function createProgram(): Command {
  const program = new Command("eventbus")
    .description("an event bus in one binary: curl publishes, a WebSocket subscribes, SQLite keeps every event")
    .version(packageJson.version, "-V, --version")
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "eventbus: ")) })
    // So that the long flags of `serve` leave some room for the text beside them on 80 columns.
    .configureHelp({ minWidthToWrap: 30 })
    .showSuggestionAfterError()
    .exitOverride();
  const commands = [
    serveCommand(packageJson.version),
    publishCommand(),
    subscribeCommand(),
    historyCommand(),
    topicsCommand(),
    pruneCommand(),
    tokenCommand(),
    clusterCommand(),
    consumerCommand(),
    consumeCommand(),
    checkCommand(),
    healthcheckCommand(),
    backupCommand(),
    restoreCommand(),
    benchCommand(),
    completionsCommand(),
    versionCommand(),
  ];
  for (const command of commands) {
    inherit(command, program);
    program.addCommand(command, { isDefault: command.name() === "serve" });
  }
  return program;
}

function inherit(command: Command, parent: Command): void {
  command.copyInheritedSettings(parent);
  for (const below of command.commands) inherit(below, command);
}

async function run(argv: readonly string[]): Promise<void> {
  const program = createProgram();
  try {
    if (!areArgumentsValid(argv)) throw new BusError("parameter_invalid", "an argument is not UTF-8: convert it first");
    refuseUnknownCommand(program, (argv[0] === "help" ? argv[1] : argv[0]) ?? "");
    await program.parseAsync(argv, { from: "user" });
  } catch (error) {
    process.exitCode = reportFailure(error);
  }
}

/** Without this, the default command would take the word for an argument of its own. */
function refuseUnknownCommand(program: Command, name: string): void {
  const names = [...program.commands.map((command) => command.name()), "help"];
  if (name === "" || name.startsWith("-") || names.includes(name)) return;
  const guess = nearest(name, names);
  const hint = guess === undefined ? `the commands are ${names.join(", ")}` : `did you mean ${guess}?`;
  throw new BusError("parameter_unknown", `there is no command ${name}: ${hint}`);
}
