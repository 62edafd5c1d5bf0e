import { mkdir, readdir, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Row } from "./bench.ts";
import { NOISY_CORES } from "./neighbours.ts";
import type { Measured, Outcome } from "./outcome.ts";
import { percent } from "./rounds.ts";
import { maximum, median, minimum, percentile, spread } from "./stats.ts";
import { type Bars, barChart, histogram } from "./svg.ts";
import { markdownTable } from "./table.ts";
import { judge, show, showMet, showRatio } from "./verdict.ts";

/** Writes a page of Markdown, and its plots into a folder of the same name beside it. */
export async function writeReport(outcome: Outcome, file: string): Promise<void> {
  const folder = file.replace(/\.md$/, "");
  await mkdir(folder, { recursive: true });
  for (const name of await readdir(folder)) if (name.endsWith(".svg")) await rm(join(folder, name));
  const sections: string[] = [];
  for (const measured of outcome.measured) sections.push(await section(measured, folder));
  await Bun.write(file, `${[preface(outcome), markdownTable(outcome), ...sections].join("\n\n")}\n`);
}

function preface({ date, command, machine, rounds, windowSeconds, isQuick }: Outcome): string {
  const pinning = machine.pinned
    ? "the server on one core, all of the load on another"
    : "server and load on whatever cores they got, as they could not be pinned";
  const warnings = [
    isQuick ? "**This was a quick run, which shows that the benches work and not how fast the program is.**" : "",
    machine.isDiskMemory ? "**The histories lay in memory: the fsyncs cost nothing here.**" : "",
  ].filter((line) => line !== "");
  return [
    "# Benchmarks",
    "Written by `bench/run.ts`; do not edit.",
    ...warnings,
    `* command: \`${command}\`\n* date: ${date}\n* machine: ${machine.cpu}, ${machine.cores} cores, ` +
      `${machine.memoryGiB} GiB, ${machine.kernel}, Bun ${machine.bun}; load average before: ${machine.loadBefore}\n` +
      `* disk: ${machine.fsyncMs} ms for a 4 KiB append with its fsync (median)\n* set-up: ${pinning}`,
    `The server is the compiled program in a process of its own. Every figure is the median of ${rounds} rounds, of ` +
      `${windowSeconds} s where it is a throughput; ours and the control take turns, round by round, on the same ` +
      "machine. A measurement during which other processes used more than " +
      `${NOISY_CORES} cores was taken again, at most twice unless the command says --tries. A plot's bar is the median, the thin line goes from the lowest round to the highest, and the dashed line ` +
      `is the target. Figures of different machines cannot be compared; ratios to a control nearly can.`,
  ].join("\n\n");
}

async function section(
  { bench, rows, skipped, failed, seconds, othersCores }: Measured,
  folder: string,
): Promise<string> {
  const heading = `## ${bench.title}\n\n${bench.about}`;
  if (failed) return `${heading}\n\nFailed: ${failed.split("\n")[0]}`;
  if (skipped) return `${heading}\n\nSkipped: ${skipped}.`;
  const plots = [await plot(folder, bench.name, bench.title, barChart(rows.map(toBars)))];
  for (const [index, row] of rows.entries()) {
    if (row.timesMs === undefined) continue;
    const name = `${bench.name}-times${index === 0 ? "" : index + 1}`;
    plots.push(await plot(folder, name, `${row.name}: distribution`, histogram(row.name, row.timesMs)));
  }
  const others = `This took ${seconds} s, in which other processes used ${othersCores} cores on average.`;
  return [heading, ...plots, rows.map(details).join("\n"), others].join("\n\n");
}

async function plot(folder: string, name: string, title: string, svg: string): Promise<string> {
  await Bun.write(join(folder, `${name}.svg`), svg);
  return `![${title}](${basename(folder)}/${name}.svg)`;
}

function toBars(row: Row): Bars {
  const { value, control } = judge(row);
  const { target } = row;
  const isAboutWorst = target?.of === "excess";
  const bound = target && {
    value: target.bound,
    ratio: target.bound * (control ?? 0),
    excess: target.bound + (control ?? 0),
  };
  return {
    title: row.name,
    unit: row.unit,
    ours: isAboutWorst ? [value] : row.values,
    ...(row.control && { control: isAboutWorst ? { ...row.control, values: [control ?? 0] } : row.control }),
    ...(target === undefined || bound === undefined ? {} : { target: bound[target.of] }),
  };
}

/** The row in words: figure, control, noise, and what its notes say. */
function details(row: Row): string {
  const { value, control, ratio, target, isMet } = judge(row);
  const range = (values: readonly number[]) => `${show(minimum(values))}–${show(maximum(values))}`;
  const lines = [`* **${row.name}**: ${show(value)} ${row.unit}${target && ` (${target}: ${showMet(isMet)})`}`];
  if (row.control && control !== undefined) {
    lines.push(`control: ${row.control.name}, ${show(control)} ${row.unit}, ratio ${showRatio(ratio)}`);
  }
  const noise = `rounds lay within ${range(row.values)} (${percent(spread(row.values))} of their median)`;
  lines.push(row.control ? `${noise}, the control's within ${range(row.control.values)}` : noise);
  for (const [name, times] of Object.entries(row.timesMs ?? {})) {
    const at = (share: number) => show(percentile(times, share));
    lines.push(`${name}: median ${show(median(times))}, 99 % ${at(0.99)}, longest ${show(maximum(times))} ms`);
  }
  return [...lines, ...row.notes].join("\n  * ");
}
