import pino, { type Logger } from "pino";

export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";
export type { Logger };

const LABELS: Readonly<Record<number, string>> = { 20: "debug", 30: "info", 40: "warn", 50: "error", 60: "fatal" };

/** A logger that writes to standard error at once: JSON lines, or lines for people. */
export function createLogger(level: LogLevel, format: "text" | "json"): Logger {
  const json = { write: (line: string) => void process.stderr.write(line) };
  const people = { write: (line: string) => void process.stderr.write(forPeople(line)) };
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, format === "json" ? json : people);
}

/** `14:30:00.123 info  listening url=http://127.0.0.1:9800` */
function forPeople(line: string): string {
  const { level, time, msg, err, ...rest } = JSON.parse(line);
  const fields = Object.entries(rest).map(
    ([name, value]) => ` ${name}=${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  const error = err === undefined ? "" : ` ${err.code === undefined ? "" : `${err.code}: `}${err.message}`;
  return `${String(time).slice(11, 23)} ${(LABELS[level] ?? "").padEnd(5)} ${msg}${fields.join("")}${error}\n`;
}
