import { beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { environmentName, fileKey, settings } from "../src/config.ts";
import type { Setting } from "../src/setting-kinds.ts";
import { describeWith } from "./helpers/requires.ts";
import { startService } from "./helpers/service.ts";

const ROOT = resolve(import.meta.dir, "..");
const RULES = resolve(ROOT, "deploy/prometheus/eventbus.rules.yml");
const rows: readonly Setting<unknown>[] = Object.values(settings);

/** Name, type and help of each metric. */
let metrics: readonly (readonly [name: string, type: string, help: string])[] = [];

beforeAll(async () => {
  await using service = await startService();
  const text = await (await fetch(`${service.url}/metrics`)).text();
  const matches = text.matchAll(/^# HELP (\S+) (.*)\n# TYPE \S+ (\S+)$/gm);
  metrics = [...matches].map(([, name = "", help = "", type = ""]) => [name, type, help] as const);
});

/** Compares a page with what the code says; writes it instead if `EVENTBUS_TEST_UPDATE` is set. */
function expectPage(name: string, title: string, head: readonly string[], lines: readonly (readonly string[])[]): void {
  const path = resolve(ROOT, "docs/reference", name);
  const toRow = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  const table = [toRow(head), `|${head.map(() => "---|").join("")}`, ...lines.map(toRow)].join("\n");
  const page = `# ${title}\n\nGenerated from the code by \`EVENTBUS_TEST_UPDATE=1 npm test reference\`.\n\n${table}\n`;
  if (process.env["EVENTBUS_TEST_UPDATE"]) writeFileSync(path, page);
  expect(readFileSync(path, "utf8")).toBe(page);
}

describe("the reference matches the code", () => {
  test("of the configuration", () => {
    const lines = rows.map((setting) => [
      `\`${setting.flag}\``,
      `\`${environmentName(setting)}\``,
      `\`${fileKey(setting)}\``,
      setting.defaultText ?? String(setting.default),
      setting.help,
    ]);
    expectPage("configuration.md", "Configuration", ["flag", "environment", "file", "default", ""], lines);
  });

  test("of the metrics", () => {
    const lines = metrics.map(([name, type, help]) => [`\`${name}\``, type, help]);
    expectPage("metrics.md", "Metrics", ["metric", "type", ""], lines);
  });
});

describe("only metrics that exist are asked for", () => {
  test.each(["deploy/grafana/eventbus.json", "deploy/prometheus/eventbus.rules.yml"])("in %s", (path) => {
    const known = metrics.flatMap(([name, type]) =>
      type === "histogram" ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
    );
    const asked = readFileSync(resolve(ROOT, path), "utf8").match(/\beventbus_[a-z_]+/g) ?? [];
    expect(asked.length).toBeGreaterThan(4);
    expect(asked.filter((name) => !known.includes(name))).toEqual([]);
  });
});

test("the pages name only metrics that exist", async () => {
  const names = metrics.map(([name]) => name);
  const wrong: string[] = [];
  for await (const path of new Bun.Glob("**/*.md").scan({ cwd: resolve(ROOT, "docs"), absolute: true })) {
    // A name that ends with an underscore stands for all that begin with it.
    for (const [name] of readFileSync(path, "utf8").matchAll(/\beventbus_[a-z_]*/g)) {
      if (!names.some((known) => (name.endsWith("_") ? known.startsWith(name) : known === name))) wrong.push(name);
    }
  }
  expect(wrong).toEqual([]);
});

describeWith("promtool", "alert rules", (promtool) => {
  test("are right", async () => {
    const child = Bun.spawn([promtool, "check", "rules", RULES], { stdout: "pipe", stderr: "pipe" });
    const said = (await new Response(child.stdout).text()) + (await new Response(child.stderr).text());
    expect({ said, exitCode: await child.exited }).toEqual({ said: expect.stringContaining("SUCCESS"), exitCode: 0 });
  });
});
