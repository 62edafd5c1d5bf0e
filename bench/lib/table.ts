import type { Outcome } from "./outcome.ts";
import { judge, show, showMet, showRatio } from "./verdict.ts";

const HEAD = ["what", "value", "control", "ratio", "target", ""];
const IS_NUMBER = [false, true, true, true, false, false];

const MAX_REASON = 60;

/** One table of all rows, as text for a terminal. */
export function textTable(outcome: Outcome): string {
  const rows = [HEAD, ...tableRows(outcome)];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  const line = (row: readonly string[]) =>
    row.map((cell, at) => (IS_NUMBER[at] ? cell.padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0))).join("  ");
  const rule = widths.map((width) => "─".repeat(width)).join("──");
  return [line(HEAD), rule, ...rows.slice(1).map(line)].map((text) => text.trimEnd()).join("\n");
}

/** The same as Markdown. */
export function markdownTable(outcome: Outcome): string {
  const align = IS_NUMBER.map((isNumber) => (isNumber ? "---:" : "---"));
  return [HEAD, align, ...tableRows(outcome)].map((row) => `| ${row.join(" | ")} |`).join("\n");
}

function tableRows({ measured }: Outcome): string[][] {
  return measured.flatMap(({ bench, rows, skipped, failed }) => {
    const words = failed ? `failed: ${failed.split("\n")[0]?.slice(0, MAX_REASON)}` : skipped && `skipped: ${skipped}`;
    if (words) return [[`${bench.title}: ${words}`, "", "", "", "", failed ? "FAILED" : ""]];
    return rows.map((row) => {
      const { value, control, ratio, target, isMet } = judge(row);
      const shownControl = control === undefined ? "" : `${show(control)} ${row.unit}`;
      return [row.name, `${show(value)} ${row.unit}`, shownControl, showRatio(ratio), target, showMet(isMet)];
    });
  });
}
