import pino, { type Logger } from "pino";
import { hasControls, replaceControls } from "./text/controls.ts";

export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";
export type { Logger };

/** Maximum output waiting for the reader of the log; beyond it, lines are dropped. */
const MAX_WAITING_BYTES = 1024 * 1024;

const LABELS: Readonly<Record<number, string>> = { 20: "debug", 30: "info", 40: "warn", 50: "error", 60: "fatal" };

/** A logger that writes to standard error at once: JSON lines, or lines for people. */
export function createLogger(level: LogLevel, format: "text" | "json"): Logger {
  process.stderr.on("error", ignore);
  const json = { write };
  const people = { write: (line: string) => write(forPeople(line)) };
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, format === "json" ? json : people);
}

/** Reports a reason only if it is not the one before: what is tried each second would fill the log with one line. */
export function onChange(report: (reason: string) => void): (reason: string) => void {
  let last: string | undefined;
  return (reason) => {
    if (reason === last) return;
    last = reason;
    report(reason);
  };
}

/** Drops lines if the reader has stopped reading, as they would accumulate. */
function write(line: string): void {
  if (process.stderr.writableLength < MAX_WAITING_BYTES) process.stderr.write(line);
}

/** The log has no reader any more; the service continues without it. */
function ignore(): void {}

/** Whatever a client sent, a line stays one line in one direction, and a terminal shows control characters as escapes. */
function quoted(value: unknown): string {
  return replaceControls(JSON.stringify(value), (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

/** `14:30:00.123 info  listening url=http://127.0.0.1:9800` */
function forPeople(line: string): string {
  const { level, time, msg, err, ...rest } = JSON.parse(line);
  const fields = Object.entries(rest).map(
    ([name, value]) => ` ${name}=${typeof value === "string" && !hasControls(value) ? value : quoted(value)}`,
  );
  const error = err === undefined ? "" : ` ${err.code === undefined ? "" : `${err.code}: `}${err.message}`;
  return `${String(time).slice(11, 23)} ${(LABELS[level] ?? "").padEnd(5)} ${msg}${fields.join("")}${error}\n`;
}
