import { type Key, type Resolved, settings } from "./config.ts";
import type { Setting } from "./setting-kinds.ts";

/** Every setting with its value and where that comes from, one per line; secrets are masked. */
export function printConfig({ config, origins }: Resolved): string {
  const rows = (Object.entries(settings) as [Key, Setting<unknown>][]).map(([key, setting]) => [
    setting.flag.slice(2),
    shownValue(setting, config[key]),
    origins[key],
  ]);
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map(([name = "", value = "", origin = ""]) => {
    return `${name.padEnd(widths[0] ?? 0)}  ${value.padEnd(widths[1] ?? 0)}  ${origin}`;
  });
  return `${lines.join("\n")}\n`;
}

function shownValue({ isSecret, unit }: Setting<unknown>, value: unknown): string {
  if (value === undefined || value === false) return "off";
  if (isSecret) return "********";
  if (value === true) return "on";
  if (Array.isArray(value)) return value.length === 0 ? "none" : value.join(",");
  if (unit === "duration") return `${value}ms`;
  return unit === "size" ? `${value}B` : String(value);
}
