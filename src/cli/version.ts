import { Command } from "commander";
import { build } from "../text/build.ts";

/** The command that says which program this is. */
export function versionCommand(): Command {
  return new Command("version")
    .description("print the version")
    .option("--json", "print the commit, the target and the version of Bun too, as JSON")
    .action(({ json = false }: { json?: boolean }) => {
      process.stdout.write(`${json ? JSON.stringify(build) : build.version}\n`);
    });
}
