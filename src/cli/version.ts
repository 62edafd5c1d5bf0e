import { Command } from "commander";
import packageJson from "../../package.json" with { type: "json" };

/** Set when the program is compiled: the commit, and the platform that it is for. */
declare const EVENTBUS_COMMIT: string | undefined;
declare const EVENTBUS_TARGET: string | undefined;

/** The command that says which program this is. */
export function versionCommand(): Command {
  return new Command("version")
    .description("print the version")
    .option("--json", "print the commit, the target and the version of Bun too, as JSON")
    .action(({ json = false }: { json?: boolean }) => {
      process.stdout.write(`${json ? JSON.stringify(build()) : packageJson.version}\n`);
    });
}

/** What the program was built from, and for what. The commit is null if it was not built in a clone. */
function build() {
  return {
    version: packageJson.version,
    commit: typeof EVENTBUS_COMMIT === "string" && EVENTBUS_COMMIT !== "" ? EVENTBUS_COMMIT : null,
    target: typeof EVENTBUS_TARGET === "string" ? EVENTBUS_TARGET : `${process.platform}-${process.arch}`,
    bun: Bun.version,
  };
}
