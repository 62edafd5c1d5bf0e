import { describe, test } from "bun:test";
import { appendFileSync } from "node:fs";

/** Programs that some suites drive: their names, and how to get one. A variable such as `CHROMIUM_PATH` names another. */
const programs = {
  chromium: { names: ["chromium", "chromium-browser", "google-chrome"], get: "apt-get install chromium" },
  "nats-server": { names: ["nats-server"], get: "apt-get install nats-server" },
  "systemd-analyze": { names: ["systemd-analyze"], get: "apt-get install systemd" },
  promtool: { names: ["promtool"], get: "apt-get install prometheus" },
} as const;

export type Program = keyof typeof programs;

/**
 * `describe` for a suite that drives a program: the body is given the program's path. Without the program the suite is
 * left out, and `npm test` says so at its end; if `EVENTBUS_TEST_ALL` is set it fails instead.
 */
export function describeWith(program: Program, suite: string, body: (path: string) => void): void {
  const path = pathOf(program);
  const message = `${suite}: needs ${program}, to be had with ${programs[program].get}`;
  const fail = () => {
    throw new Error(message);
  };
  if (path !== undefined) describe(suite, () => body(path));
  else if (process.env["EVENTBUS_TEST_ALL"]) test(suite, fail);
  else {
    test.skip(suite, fail);
    sayLeftOut(message);
  }
}

function pathOf(program: Program): string | undefined {
  const named = process.env[`${program.toUpperCase().replace("-", "_")}_PATH`];
  const PATH = `${process.env["PATH"]}:/usr/local/bin:/usr/sbin`;
  const candidates = named ? [named] : programs[program].names;
  return candidates.map((name) => Bun.which(name, { PATH })).find((path) => path !== null);
}

/** Told to `scripts/test.mjs`, which prints it last; on stderr if the tests run without it. */
function sayLeftOut(message: string): void {
  const file = process.env["EVENTBUS_TEST_LEFT_OUT"];
  if (file) appendFileSync(file, `  ${message}\n`);
  else process.stderr.write(`LEFT OUT  ${message}\n`);
}
