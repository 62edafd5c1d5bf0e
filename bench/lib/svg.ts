import { maximum, median, minimum } from "./stats.ts";
import { show } from "./verdict.ts";

const WIDTH = 760;
const LEFT = 20;
/** Room for the words beside the longest bar. */
const LABEL_WIDTH = 270;
const PLOT_WIDTH = WIDTH - 2 * LEFT - LABEL_WIDTH;
const BAR_HEIGHT = 18;
const GROUP_HEIGHT = 92;
const HISTOGRAM_HEIGHT = 180;
const LINES_HEIGHT = 130;
const BINS = 60;
const LEGEND = WIDTH - 160;

/** Readable on a light page and on a dark one: colours follow the reader's, and the background is transparent. */
const STYLE = `<style>
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600 } .small { font-size: 11px; fill: #59636e }
.ours { fill: #2f6fde; stroke: #2f6fde } .control { fill: #9aa4af; stroke: #9aa4af }
.range { stroke: #1f2328; stroke-width: 1.5; fill: none } .axis { stroke: #9aa4af }
.target { stroke: #b3261e; stroke-width: 1.5; stroke-dasharray: 4 3 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .small { fill: #9198a1 } .range { stroke: #e6edf3 }
  .ours { fill: #5b96f7; stroke: #5b96f7 } .control { fill: #6e7681; stroke: #6e7681 } .target { stroke: #ff8a80 }
}
</style>`;

export interface Bars {
  readonly title: string;
  readonly unit: string;
  readonly ours: readonly number[];
  readonly control?: { readonly name: string; readonly values: readonly number[] };
  /** Where the bound lies, in the unit. */
  readonly target?: number;
}

/** A pair of bars a row: the median of the rounds, with a line from the lowest to the highest. */
export function barChart(rows: readonly Bars[]): string {
  return document(
    rows.length * GROUP_HEIGHT + 10,
    rows.map((row, index) => group(row, 10 + index * GROUP_HEIGHT)),
  );
}

function group({ title, unit, ours, control, target }: Bars, top: number): string {
  const largest = Math.max(maximum(ours), maximum(control?.values ?? [0]), target ?? 0);
  const scale = (value: number) => LEFT + (value / largest) * PLOT_WIDTH;
  const bar = (kind: string, name: string, values: readonly number[], y: number) => {
    const end = scale(median(values));
    const middle = y + BAR_HEIGHT / 2;
    return (
      `<rect class="${kind}" x="${LEFT}" y="${y}" width="${fixed(end - LEFT)}" height="${BAR_HEIGHT}"/>` +
      `<path class="range" d="M${fixed(scale(minimum(values)))} ${middle}H${fixed(scale(maximum(values)))}"/>` +
      `<text class="small" x="${fixed(scale(maximum(values)) + 6)}" y="${middle + 4}">${show(median(values))} ${unit}, ${escapeXml(name)}</text>`
    );
  };
  const line = target === undefined ? "" : `<path class="target" d="M${fixed(scale(target))} ${top + 16}v26"/>`;
  return (
    `<text class="title" x="${LEFT}" y="${top + 10}">${escapeXml(title)}</text>` +
    bar("ours", "ours", ours, top + 20) +
    (control ? bar("control", control.name, control.values, top + 46) : "") +
    line
  );
}

/** How often each time was measured, on a logarithmic axis of milliseconds; the first series is ours. */
export function histogram(title: string, series: Readonly<Record<string, readonly number[]>>): string {
  const all = Object.values(series).flat();
  const low = Math.log10(Math.max(minimum(all), 0.001));
  const high = Math.max(Math.log10(maximum(all)), low + 0.1);
  const x = (log: number) => LEFT + ((log - low) / (high - low)) * (WIDTH - 2 * LEFT);
  const shapes = Object.entries(series).map(([name, times], index) => {
    const kind = index === 0 ? "ours" : "control";
    const heights = shares(times, low, high);
    const top = maximum(heights) || 1;
    const steps = heights.map((share, bin) => {
      const y = 40 + (1 - share / top) * (HISTOGRAM_HEIGHT - 70);
      return `V${fixed(y)}H${fixed(x(low + ((bin + 1) / BINS) * (high - low)))}`;
    });
    const base = HISTOGRAM_HEIGHT - 30;
    const legend = `<text class="small" x="${LEGEND + 14}" y="${36 + index * 15}">${escapeXml(name)}</text>`;
    const swatch = `<rect class="${kind}" x="${LEGEND}" y="${27 + index * 15}" width="9" height="9"/>`;
    return `<path class="${kind}" fill-opacity="0.35" d="M${LEFT} ${base}${steps.join("")}V${base}Z"/>${swatch}${legend}`;
  });
  const marks = ticks(low, high).map(
    (value) =>
      `<path class="axis" d="M${fixed(x(Math.log10(value)))} ${HISTOGRAM_HEIGHT - 30}v5"/>` +
      `<text class="small" text-anchor="middle" x="${fixed(x(Math.log10(value)))}" y="${HISTOGRAM_HEIGHT - 10}">${value} ms</text>`,
  );
  const heading = `<text class="title" x="${LEFT}" y="16">${escapeXml(title)}</text>`;
  return document(HISTOGRAM_HEIGHT, [heading, ...shapes.reverse(), ...marks]);
}

export interface Lines {
  readonly title: string;
  readonly unit: string;
  /** One point per sample; samples are equally far apart. */
  readonly series: Readonly<Record<string, readonly number[]>>;
}

/** A plot a row, over the time of a run; each from 0 to its largest value. The first series is ours. */
export function lineChart(rows: readonly Lines[], seconds: number): string {
  return document(
    rows.length * LINES_HEIGHT + 10,
    rows.map((row, index) => lines(row, seconds, 10 + index * LINES_HEIGHT)),
  );
}

function lines({ title, unit, series }: Lines, seconds: number, top: number): string {
  const largest = maximum(Object.values(series).flat()) || 1;
  const base = top + LINES_HEIGHT - 34;
  const paths = Object.values(series).map((values, index) => {
    const points = values.map((value, at) => {
      const x = LEFT + (at / Math.max(1, values.length - 1)) * (WIDTH - 2 * LEFT);
      return `${fixed(x)} ${fixed(base - (value / largest) * (LINES_HEIGHT - 60))}`;
    });
    return `<path class="${index === 0 ? "ours" : "control"}" fill-opacity="0" d="M${points.join("L")}"/>`;
  });
  const names = Object.keys(series).length > 1 ? `: ${Object.keys(series).join(" (blue), ")} (grey)` : "";
  return (
    `<text class="title" x="${LEFT}" y="${top + 10}">${escapeXml(title + names)}</text>` +
    `<text class="small" text-anchor="end" x="${WIDTH - LEFT}" y="${top + 10}">at most ${show(largest)} ${unit}</text>` +
    `<path class="axis" d="M${LEFT} ${base}H${WIDTH - LEFT}"/>` +
    `<text class="small" x="${LEFT}" y="${base + 14}">0 s</text>` +
    `<text class="small" text-anchor="end" x="${WIDTH - LEFT}" y="${base + 14}">${seconds} s</text>` +
    paths.reverse().join("")
  );
}

function shares(times: readonly number[], low: number, high: number): number[] {
  const counts = new Array<number>(BINS).fill(0);
  for (const time of times) {
    const bin = Math.floor(((Math.log10(Math.max(time, 0.001)) - low) / (high - low)) * BINS);
    const at = Math.min(BINS - 1, Math.max(0, bin));
    counts[at] = (counts[at] ?? 0) + 1;
  }
  return counts.map((count) => count / times.length);
}

/** 1, 2 and 5 times each power of ten, as far as they lie within the bounds. */
function ticks(low: number, high: number): number[] {
  const values: number[] = [];
  for (let power = Math.floor(low); power <= high; power++) {
    for (const digit of [1, 2, 5]) values.push(Number((digit * 10 ** power).toPrecision(1)));
  }
  return values.filter((value) => Math.log10(value) >= low && Math.log10(value) <= high);
}

function document(height: number, parts: readonly string[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">\n${STYLE}\n${parts.join("\n")}\n</svg>\n`;
}

function fixed(value: number): string {
  return String(Math.round(value * 10) / 10);
}

function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
