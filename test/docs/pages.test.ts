import { afterAll, beforeAll, describe, expect } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { until } from "../helpers/inbox.ts";
import { type Block, blocksOf } from "../helpers/markdown.ts";
import { type Program, programPath, testWith } from "../helpers/requires.ts";
import { Stage } from "./stage.ts";

const ROOT = resolve(import.meta.dir, "../..");

/** Compiling what Go's HTTP client needs may take this long on a machine that has never done it. */
const BLOCK_MS = 180_000;

/** The pages whose every block runs, in order, in an empty folder beside a server. */
const PAGES = ["README.md", ...[...new Bun.Glob("docs/guide/*.md").scanSync(ROOT)].sort()];

/** How a block of a language is run, and what it needs. */
const languages: Readonly<Record<string, { readonly command: readonly string[]; readonly needs?: Program }>> = {
  sh: { command: ["sh", "-euc"] },
  python: { command: ["python3", "-c"], needs: "python3" },
  php: { command: ["php", "-r"], needs: "php" },
  js: { command: ["bun", "-e"] },
  ts: { command: ["bun", "-e"] },
};

/** What a shell block needs, by a word in it. */
const shellNeeds: readonly Program[] = ["python3", "php", "go", "nats-server"];

/** Languages of blocks that show what the block before them says. */
const OUTPUTS = ["", "json", "text"];

describe.each(PAGES)("the commands of %s", (name) => {
  const page = readFileSync(join(ROOT, name), "utf8");
  const needed = shellNeeds.filter((program) => page.includes(`<!-- needs: ${program} -->`));
  const blocks = withNeeds(blocksOf(page)).map((one) => ({ ...one, needs: [...one.needs, ...needed] }));
  let stage: Stage;

  beforeAll(async () => {
    const flags = /<!-- server: (.+) -->/.exec(page)?.[1] ?? "";
    const isWhole = blocks.every(({ needs }) => needs.every((program) => programPath(program) !== undefined));
    const ports = /<!-- ports: (.+) -->/.exec(page)?.[1]?.split(" ") ?? [];
    stage = await Stage.start(flags, { masksNumbers: !isWhole, ports });
  });
  afterAll(() => stage?.[Symbol.asyncDispose]());

  for (const { block, needs } of blocks) {
    testWith(needs, `${name}:${block.line} ${firstLine(block)}`, () => act(stage, block), BLOCK_MS);
  }
});

/** Blocks with what they need; one that uses what another has made or printed needs what that one needs. */
function withNeeds(blocks: readonly Block[]): { readonly block: Block; readonly needs: readonly Program[] }[] {
  let needs: readonly Program[] = [];
  return blocks.map((block) => {
    const isOutput = block.mark === undefined && OUTPUTS.includes(block.language);
    const goesOn = isOutput || block.mark?.startsWith("interrupt") || block.text.startsWith("./");
    if (!goesOn) needs = needsOf(block);
    return { block, needs };
  });
}

async function act(stage: Stage, block: Block): Promise<void> {
  const [, kind = "", argument = ""] = /^(\w*):? ?(.*)$/.exec(block.mark ?? "") ?? [];
  const { command } = languages[block.language] ?? { command: [] };
  const acts: Record<string, () => void | Promise<void>> = {
    elsewhere: () => expect(argument.length).toBeGreaterThan(10),
    file: () => writeFile(stage, argument, block.text),
    stays: () => stage.follow([...command, block.text]),
    interrupt: () => interrupt(stage, argument),
    browser: () => stage.browse(argument, block.text),
    starts: () => stage.said(block.text),
    "": () => (OUTPUTS.includes(block.language) ? stage.said(block.text) : runBlock(stage, block)),
  };
  const does = acts[kind];
  if (does === undefined) throw new Error(`nobody knows what "${block.mark}" means`);
  await does();
}

function runBlock(stage: Stage, { language, text }: Block): Promise<void> {
  const known = languages[language];
  if (known === undefined) throw new Error(`a block of ${language} needs a mark that says what becomes of it`);
  return stage.run([...known.command, text]);
}

/** A block that is a file of the project must equal that file exactly. */
function writeFile(stage: Stage, name: string, text: string): void {
  if (name.includes("/")) expect(text).toBe(readFileSync(join(ROOT, name), "utf8"));
  stage.write(name, text);
}

/** Ends what was started last, once it has left a text in a file, as the condition says. */
async function interrupt(stage: Stage, condition: string): Promise<void> {
  const [, file = "", text = ""] = /^once (\S+) has (\S+)$/.exec(condition) ?? [];
  await until(() => existsSync(stage.path(file)) && readFileSync(stage.path(file), "utf8") === text, condition);
  await stage.interrupt();
}

function needsOf({ language, mark = "", text }: Block): Program[] {
  if (/^(elsewhere|file)/.test(mark)) return [];
  if (mark.startsWith("browser")) return ["chromium"];
  if (language === "sh") return shellNeeds.filter((program) => new RegExp(`\\b${program} `).test(text));
  return [languages[language]?.needs ?? []].flat();
}

function firstLine({ text }: Block): string {
  return text.split("\n", 1)[0]?.slice(0, 60) ?? "";
}
