import { expect, test } from "bun:test";
import { createProgram } from "../../src/main.ts";
import { runBinary } from "../helpers/binary.ts";
import { describeWith } from "../helpers/requires.ts";
import { runShell } from "../helpers/shell.ts";

/** What is typed before the tab key, and the one word that can follow. */
const unique: readonly (readonly [typed: string, word: string])[] = [
  ["pub", "publish"],
  ["token cr", "create"],
  ["token create --exp", "--expires"],
  ["publish --nd", "--ndjson"],
  ["publish a.b --so", "--source"],
  ["subscribe --output pre", "pretty"],
  ["subscribe 'a*' --on-error c", "continue"],
  ["completions z", "zsh"],
  ["serve --durability o", "os"],
  ["--print", "--print-config"],
];

const commands = [...createProgram().commands.map((command) => command.name()), "help"].sort();
const flagsOfPrune = ["--help", "--token", "--url", "--wait", "-h"];

/** The words that bash offers. */
async function bash(typed: string): Promise<string[]> {
  const words = `COMP_WORDS=(eventbus ${typed}); [[ "$TYPED" == *' ' || -z "$TYPED" ]] && COMP_WORDS+=('')`;
  const request = `${words}; COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _eventbus; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { output } = await runShell(`source <("$EVENTBUS" completions bash); ${request}`, { TYPED: typed });
  return output.trim().split("\n").sort();
}

/** The words that fish offers. */
async function fish(typed: string): Promise<string[]> {
  const request = `"$EVENTBUS" completions fish | source; complete -C "eventbus $TYPED"`;
  const { output } = await runShell('fish --no-config --command "$REQUEST"', {
    TYPED: typed,
    REQUEST: request,
    HOME: ".",
  });
  return output
    .trim()
    .split("\n")
    .map((line) => line.split("\t")[0] ?? "");
}

/** The line that zsh runs on a pseudo terminal when this is typed, followed by a tab. */
async function zsh(typed: string): Promise<string> {
  const { output } = await runShell('zsh -f -c "$DRIVER"', {
    TYPED: typed,
    DRIVER: ZSH_DRIVER,
    HOME: ".",
    TERM: "dumb",
  });
  return /ran:(.*):/.exec(output)?.[1] ?? output;
}
const ZSH_DRIVER = `
zmodload zsh/zpty
zpty shell zsh -f -i
ask() { zpty -w shell "$1"; zpty -r -m shell REPLY "*$2*" }
ask 'PS1=; autoload -Uz compinit; compinit -u -D; source <("$EVENTBUS" completions zsh); print re""ady' ready
ask 'eventbus() { print -r -- "ran:$*"":" }; print se""t' set
ask "eventbus $TYPED"$'\\t' 'ran:*:'
print -r -- "$REPLY"
zpty -d shell`;

describeWith("bash", "bash completes", () => {
  for (const [typed, word] of unique) {
    test(`${typed}⇥ to ${word}`, async () => expect(await bash(typed)).toEqual([word]));
  }

  test("every command, and the flags of a command", async () => {
    expect((await bash("")).filter((word) => !word.startsWith("-"))).toEqual(commands);
    expect(await bash("prune ")).toEqual(flagsOfPrune);
  });

  test("no words of ours where a file name is expected", async () => expect(await bash("backup --db ")).toEqual([""]));
});

describeWith("fish", "fish completes", () => {
  for (const [typed, word] of unique) {
    test(`${typed}⇥ to ${word}`, async () => expect(await fish(typed)).toEqual([word]));
  }

  test("every command, and the flags of a command", async () => {
    expect((await fish("")).sort()).toEqual(commands);
    expect((await fish("prune -")).sort()).toEqual(flagsOfPrune);
  });
});

describeWith("zsh", "zsh completes", () => {
  for (const [typed, word] of unique) {
    const typedWords = typed.replaceAll("'", "").split(" ").slice(0, -1);
    test(`${typed}⇥ to ${word}`, async () => expect((await zsh(typed)).trim()).toBe([...typedWords, word].join(" ")));
  }
});

test("completions of an unknown shell end with 2", async () => {
  const { exitCode, stderr } = await runBinary(["completions", "tcsh"]);
  expect(exitCode).toBe(2);
  expect(stderr).toContain("Allowed choices are bash, zsh, fish");
});
