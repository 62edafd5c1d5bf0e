import { Command, CommanderError } from "commander";
import packageJson from "../package.json" with { type: "json" };
import { BusError } from "./bus/errors.ts";
import { backupCommand } from "./cli/backup.ts";
import { checkCommand } from "./cli/check.ts";
import { restoreCommand } from "./cli/restore.ts";
import { serveCommand, startFailure } from "./cli/serve.ts";
import { tokenCommand } from "./cli/token.ts";
import { nearest } from "./http/nearest.ts";

/** Exit codes: 0 ok, 1 failed, 2 wrong usage. */
const WRONG_USAGE = 2;

await run(Bun.argv.slice(2));
process.exit();

async function run(argv: readonly string[]): Promise<void> {
  const program = new Command("eventbus")
    .description("an event bus in one file: curl publishes, a WebSocket subscribes, SQLite keeps every event")
    .version(packageJson.version, "-V, --version")
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "eventbus: ")) })
    .showSuggestionAfterError()
    .exitOverride();
  const version = new Command("version").description("say which version this is");
  version.action(() => console.log(packageJson.version));
  for (const command of [
    serveCommand(packageJson.version),
    tokenCommand(),
    checkCommand(),
    backupCommand(),
    restoreCommand(),
    version,
  ]) {
    command.copyInheritedSettings(program);
    for (const part of command.commands) part.copyInheritedSettings(command);
    program.addCommand(command, { isDefault: command.name() === "serve" });
  }
  try {
    refuseUnknownCommand(program, argv[0] ?? "");
    await program.parseAsync(argv, { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : WRONG_USAGE;
    else {
      process.stderr.write(`eventbus: ${startFailure(error)}\n`);
      process.exitCode = error instanceof BusError && /^(parameter|pattern)_/.test(error.code) ? WRONG_USAGE : 1;
    }
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
