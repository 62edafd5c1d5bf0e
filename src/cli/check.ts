import { Command } from "commander";
import { checkFile } from "../store/check/check.ts";
import { databaseOption, keptWords } from "./history-file.ts";
import { ProgressLine } from "./terminal/progress-line.ts";

/** The command that looks for damage in a history file. */
export function checkCommand(): Command {
  return new Command("check")
    .description("check a history file that no server uses for damage; changes nothing")
    .addOption(databaseOption("history file"))
    .action(async (options: { db: string }) => {
      process.exitCode = await check(options.db);
    });
}

async function check(path: string): Promise<number> {
  const progress = new ProgressLine();
  const report = await checkFile(path, {
    onDamage: (detail) => {
      progress.clear();
      process.stdout.write(`${detail}\n`);
    },
    onWarning: (detail) => progress.warn(detail),
    onProgress: (what, done) => progress.show(`checking ${path}: ${what} ${Math.floor(done * 100)} %`),
  }).finally(() => progress.clear());
  const { isSound, unlisted } = report;
  if (unlisted > 0) process.stdout.write(`and ${unlisted} more\n`);
  if (!isSound) {
    process.stderr.write(`${path} is damaged: restore a backup, or continue without what is listed here\n`);
    return 1;
  }
  process.stdout.write(`${path} is sound: ${keptWords(report)}\n`);
  return 0;
}
