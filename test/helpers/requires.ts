import { describe, test } from "bun:test";
import { appendFileSync } from "node:fs";
import { natsServer } from "../../scripts/nats-server.mjs";

/** Programs that some suites drive: their names, and how to get one. A variable such as `CHROMIUM_PATH` names another. */
const programs = {
  bash: { names: ["bash"], get: "apt-get install bash" },
  caddy: { names: ["caddy"], get: "apt-get install caddy" },
  chromium: { names: ["chromium", "chromium-browser", "google-chrome"], get: "apt-get install chromium" },
  curl: { names: ["curl"], get: "apt-get install curl" },
  fish: { names: ["fish"], get: "apt-get install fish" },
  gcc: { names: ["gcc", "cc"], get: "apt-get install build-essential" },
  git: { names: ["git"], get: "apt-get install git" },
  go: { names: ["go"], get: "apt-get install golang-go" },
  "nats-server": { names: [natsServer], get: "node scripts/nats-server.mjs" },
  "systemd-analyze": { names: ["systemd-analyze"], get: "apt-get install systemd" },
  haproxy: { names: ["haproxy"], get: "apt-get install haproxy" },
  "kubernetes-validate": { names: ["kubernetes-validate"], get: "pip install kubernetes-validate" },
  nfpm: { names: ["nfpm"], get: "go install github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.43.0" },
  nginx: { names: ["nginx"], get: "apt-get install nginx-light" },
  php: { names: ["php"], get: "apt-get install php-cli" },
  promtool: { names: ["promtool"], get: "apt-get install prometheus" },
  "python-standardwebhooks": {
    names: ["python-standardwebhooks"],
    get: "pip install standardwebhooks, and PYTHON_STANDARDWEBHOOKS_PATH naming its python",
  },
  python3: { names: ["python3"], get: "apt-get install python3" },
  schemathesis: { names: ["schemathesis"], get: "pip install schemathesis" },
  script: { names: ["script"], get: "apt-get install bsdutils" },
  strace: { names: ["strace"], get: "apt-get install strace" },
  zsh: { names: ["zsh"], get: "apt-get install zsh" },
} as const;

export type Program = keyof typeof programs;

/**
 * `describe` for a suite that drives a program: the body is given the program's path. Without the program the suite is
 * skipped, and `npm test` says so at its end; if `EVENTBUS_TEST_ALL` is set it fails instead.
 */
export function describeWith(program: Program, suite: string, body: (path: string) => void): void {
  const path = programPath(program);
  if (path === undefined) leaveOutWithout(suite, program);
  else describe(suite, () => body(path));
}

/** The same for one test, which may need several programs and is to find them by their names. */
export function testWith(
  needed: readonly Program[],
  name: string,
  body: () => Promise<void>,
  timeoutMs?: number,
): void {
  const missing = needed.find((program) => programPath(program) === undefined);
  if (missing === undefined) test(name, body, timeoutMs);
  else leaveOutWithout(name, missing);
}

/** Where the program is; undefined when it is not there. */
export function programPath(program: Program): string | undefined {
  const named = process.env[`${program.toUpperCase().replaceAll("-", "_")}_PATH`];
  const PATH = `${process.env["PATH"]}:/usr/local/bin:/usr/sbin`;
  const candidates = named ? [named] : programs[program].names;
  return candidates.map((name) => Bun.which(name, { PATH })).find((path) => path !== null);
}

function leaveOutWithout(what: string, program: Program): void {
  leaveOut(what, `${program}, to be had with ${programs[program].get}`);
}

/** Skips a suite or a test that lacks something, and says so; if `EVENTBUS_TEST_ALL` is set it fails instead. */
export function leaveOut(what: string, wanted: string): void {
  const message = `${what}: needs ${wanted}`;
  const fail = () => {
    throw new Error(message);
  };
  if (process.env["EVENTBUS_TEST_ALL"]) test(what, fail);
  else {
    test.skip(what, fail);
    sayLeftOut(message);
  }
}

/** Passed to `scripts/test.mjs`, which prints it last; on stderr if the tests run without it. */
function sayLeftOut(message: string): void {
  const file = process.env["EVENTBUS_TEST_LEFT_OUT"];
  if (file) appendFileSync(file, `  ${message}\n`);
  else process.stderr.write(`SKIPPED  ${message}\n`);
}
