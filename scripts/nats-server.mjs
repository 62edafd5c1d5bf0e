// Gets the NATS server that the cluster is tested with: compiled from the Go module of this version, whose content the
// checksum database of Go pins. Does nothing if it is there already. Runs on Node 20 and on Bun; needs Go.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, realpathSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { install, root, run, say } from "./toolchain.mjs";

const NATS_VERSION = "2.15.2";
const exe = process.platform === "win32" ? ".exe" : "";

/** Where the program is, once this script has run. */
export const natsServer = join(root, "node_modules", ".cache", `nats-server-${NATS_VERSION}${exe}`);

async function main() {
  await install(); // installing packages later would remove the program
  if (existsSync(natsServer)) return 0;
  if (spawnSync("go", ["version"]).status !== 0) {
    say("Go is not installed; nats-server is compiled from its module: apt-get install golang-go");
    return 1;
  }
  say(`compiling nats-server ${NATS_VERSION}, which takes up to three minutes the first time …`);
  const folder = join(root, "node_modules", ".cache", `.nats-server-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  const exitCode = await run("go", ["install", `github.com/nats-io/nats-server/v2@v${NATS_VERSION}`], {
    env: { ...process.env, GOBIN: folder },
    stdio: ["ignore", 2, 2],
  });
  if (exitCode === 0) renameSync(join(folder, `nats-server${exe}`), natsServer);
  rmSync(folder, { recursive: true, force: true });
  if (exitCode === 0) say(`nats-server ${NATS_VERSION} is in ${natsServer}`);
  return exitCode;
}

const started = process.argv[1];
if (started !== undefined && realpathSync(started) === fileURLToPath(import.meta.url)) process.exit(await main());
