// Writes docs/reference/cli.md, which is made from the tree of commands; test/docs/reference.test.ts fails when it is
// out of date.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { createProgram } from "../src/main.ts";

const COLUMNS = 100;

const HEAD = `\
# Command line

Made by \`npm run docs\` from the commands themselves: change those, not this page. Each command says the same with
\`--help\`.

Flags win over the environment, which wins over the file of \`--config\`, which \`serve\` alone has, and that over the
defaults. Data goes to standard output, words go to standard error. Exit codes: 0 ok, 1 failed, 2 wrong usage, 130
interrupted before the work was done.
`;

/** The page, whole. */
export function cliPage(): string {
  return [HEAD, ...sectionsOf(createProgram(), "eventbus")].join("\n");
}

function sectionsOf(command: Command, path: string): string[] {
  const below = command.commands.flatMap((one) => sectionsOf(one, `${path} ${one.name()}`));
  return [`## ${path}\n\n\`\`\`\n${helpOf(command)}\n\`\`\`\n`, ...below];
}

/** What `--help` prints on a terminal of that width. */
function helpOf(command: Command): string {
  const parts: string[] = [];
  const writeOut = (text: string) => void parts.push(text);
  command.configureOutput({ writeOut, getOutHelpWidth: () => COLUMNS, getOutHasColors: () => false }).outputHelp();
  return parts.join("").trim();
}

if (import.meta.main) writeFileSync(join(import.meta.dir, "../docs/reference/cli.md"), cliPage());
