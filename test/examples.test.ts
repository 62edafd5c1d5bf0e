import { expect, test } from "bun:test";
import { resolve } from "node:path";
import { type Program, programPath, testWith } from "./helpers/requires.ts";
import { startService } from "./helpers/service.ts";
import { TestSocket } from "./helpers/socket.ts";
import { TempFolder } from "./helpers/temp.ts";

const EXAMPLES = resolve(import.meta.dir, "../examples");

test("examples/library.ts runs with no server and no network", async () => {
  using folder = new TempFolder();
  const preload = `${folder.path}/no-network.ts`;
  await Bun.write(
    preload,
    'for (const name of ["serve", "listen", "connect"]) Object.assign(Bun, { [name]: undefined });',
  );
  const { stdout, exitCode } = Bun.spawnSync([process.execPath, "--preload", preload, `${EXAMPLES}/library.ts`]);
  expect(exitCode).toBe(0);
  expect(stdout.toString().split(/\s+/).join(" ").trim()).toBe(
    "received 1 orders.created { total: 1.1, } received 3 orders.paid { total: 1.1, } " +
      "history 2 users.created history 1 orders.created newest of today 3 orders.paid",
  );
});

const withToken: readonly [file: string, program: Program, command: readonly string[]][] = [
  ["publish.py", "python3", ["python3"]],
  ["publish.php", "php", ["php"]],
  ["publish.go", "go", ["go", "run"]],
];

for (const [file, program, [name = "", ...args]] of withToken) {
  testWith([program], `examples/${file} takes EVENTBUS_TOKEN`, async () => {
    await using service = await startService();
    const body = JSON.stringify({ name: "root", admin: true });
    const made = await fetch(`${service.url}/api/tokens`, { method: "POST", body });
    const { secret } = (await made.json()) as { secret: string };
    const command = [programPath(program) ?? name, ...args, `${EXAMPLES}/${file}`];
    const publish = (token: string) => {
      const env = { PATH: process.env["PATH"], HOME: process.env["HOME"], GOCACHE: "/tmp/eventbus-go-cache" };
      const more = { EVENTBUS_URL: service.url, EVENTBUS_TOKEN: token };
      return Bun.spawn(command, { env: { ...env, ...more }, stdout: "ignore", stderr: "ignore" }).exited;
    };
    expect(await publish(secret)).toBe(0);
    expect(await publish("")).not.toBe(0);
    expect(service.bus.head).toBe(1);
  });
}

test("examples/serve-subscribe.ts serves subscriptions", async () => {
  using folder = new TempFolder();
  // Unchanged, but on a free port.
  const source = await Bun.file(`${EXAMPLES}/serve-subscribe.ts`).text();
  const copy = `${folder.path}/serve-subscribe.ts`;
  await Bun.write(copy, source.replace("../src/", `${resolve(EXAMPLES, "../src")}/`).replace("port: 9810", "port: 0"));
  const child = Bun.spawn([process.execPath, copy], { stdout: "pipe" });
  try {
    const { value } = await child.stdout.pipeThrough(new TextDecoderStream()).getReader().read();
    const url = /ws(:\/\/\S+)\/\?/.exec(value ?? "")?.[1] ?? "";
    using socket = await TestSocket.open(`http${url}`, "pattern=clock.*");
    expect(await socket.nextJson()).toMatchObject({ topic: "clock.second" });
  } finally {
    child.kill();
  }
});
