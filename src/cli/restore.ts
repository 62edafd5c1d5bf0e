import { Command } from "commander";
import { type Restored, restoreFile } from "../store/copy/restore.ts";
import { databaseOption, keptWords, requireFile } from "./history-file.ts";
import { ProgressLine } from "./terminal/progress-line.ts";

/** The command that puts a checked copy in the place of the history. */
export function restoreCommand(): Command {
  return new Command("restore")
    .description("verify a copy and put it in place of the history; the replaced file is kept")
    .argument("[file]", "copy to restore, made by `eventbus backup`")
    .option("--from <file>", "the same as FILE")
    .addOption(databaseOption("history file, which no server may be using"))
    .action(async (file: string | undefined, options: { from?: string; db: string }, command: Command) => {
      const from = file ?? options.from;
      if (from === undefined) return command.error("error: a copy is missing: eventbus restore FILE");
      if (file !== undefined && options.from !== undefined) {
        return command.error("error: the copy is given twice: as FILE, and with --from");
      }
      const { db } = options;
      requireFile(db);
      const progress = new ProgressLine();
      const onProgress = (what: string, done: number) => progress.show(`${from}: ${what} ${Math.floor(done * 100)} %`);
      const aside = `${db}.replaced-${new Date().toISOString().replaceAll(/[-:]|\.\d+/g, "")}`;
      const reports = { onProgress, onWarning: (detail: string) => progress.warn(detail) };
      report(db, await restoreFile(from, db, aside, reports).finally(() => progress.clear()));
    });
}

function report(db: string, { report, aside, replacedHead }: Restored): void {
  const { head } = report;
  process.stdout.write(`${db} is restored: ${keptWords(report)}\n`);
  if (aside === undefined) return;
  process.stderr.write(`the replaced file is now ${aside}\n`);
  if (replacedHead !== undefined && replacedHead <= head) return;
  const last = replacedHead === undefined ? "" : ` up to ${replacedHead}`;
  process.stderr.write(
    `the ids after ${head}${last} were assigned before, and from now on are assigned again, to other events: ` +
      `anything that remembers an id above ${head} must continue from ${head}\n`,
  );
}
