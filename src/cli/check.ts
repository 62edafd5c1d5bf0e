import { Command, Option } from "commander";
import { environmentName, settings } from "../config.ts";
import { checkFile } from "../store/check/check.ts";
import { ProgressLine } from "./progress-line.ts";

/** The command that looks for damage in a history file. */
export function checkCommand(): Command {
  const { db } = settings;
  const file = new Option(`${db.flag} <${db.unit}>`, "file of the history")
    .env(environmentName(db))
    .default(db.default);
  return new Command("check")
    .description("look for damage in a history file that no server uses; changes nothing")
    .addOption(file)
    .action(async (options: { db: string }) => {
      process.exitCode = await check(options.db);
    });
}

async function check(path: string): Promise<number> {
  const progress = new ProgressLine();
  const { isSound, untold, events, floor, head } = await checkFile(path, {
    onDamage: (detail) => {
      progress.clear();
      process.stdout.write(`${detail}\n`);
    },
    onLoss: (detail) => progress.warn(detail),
    onProgress: (what, done) => progress.show(`checking ${path}: ${what} ${Math.floor(done * 100)} %`),
  }).finally(() => progress.clear());
  if (untold > 0) process.stdout.write(`and ${untold} more\n`);
  if (!isSound) {
    process.stderr.write(`${path} is damaged: restore a backup, or go on without what is named here\n`);
    return 1;
  }
  const range = events === 0 ? `none kept, the next id is ${head + 1}` : `ids ${floor} to ${head}`;
  process.stdout.write(`${path} is sound: ${events} event${events === 1 ? "" : "s"}, ${range}\n`);
  return 0;
}
