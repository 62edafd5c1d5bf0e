import { Command, CommanderError } from "commander";
import packageJson from "../package.json" with { type: "json" };
import { BusError } from "./bus/errors.ts";
import { serveCommand, startFailure } from "./cli/serve.ts";

/** Exit codes: 0 ok, 1 failed, 2 wrong usage. */
const WRONG_USAGE = 2;

await run(Bun.argv.slice(2));
process.exit();

async function run(argv: readonly string[]): Promise<void> {
  const program = new Command("eventbus")
    .description("an event bus in one file: curl publishes, a WebSocket subscribes, SQLite keeps every event")
    .version(packageJson.version, "-V, --version")
    .showSuggestionAfterError()
    .exitOverride();
  for (const command of [serveCommand(packageJson.version)]) {
    command.exitOverride().showSuggestionAfterError();
    program.addCommand(command, { isDefault: command.name() === "serve" });
  }
  try {
    await program.parseAsync(argv, { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : WRONG_USAGE;
    else {
      process.stderr.write(`eventbus: ${startFailure(error)}\n`);
      process.exitCode = error instanceof BusError && error.code.startsWith("parameter") ? WRONG_USAGE : 1;
    }
  }
}
