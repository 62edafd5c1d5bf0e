import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { publish } from "../helpers/http.ts";
import { until } from "../helpers/inbox.ts";
import { blocksOf } from "../helpers/markdown.ts";
import { describeWith, type Program } from "../helpers/requires.ts";
import { startService, type TestService, temporaryFolder } from "../helpers/service.ts";
import { TestSocket } from "../helpers/socket.ts";

const GUIDE = readFileSync(resolve(import.meta.dir, "../../docs/guide/production.md"), "utf8");
/** A proxy's start may take this long on a busy machine. */
const START_MS = 30_000;

interface Proxy {
  readonly program: Program;
  /** The mark of the block in the guide. */
  readonly file: string;
  /** What it takes to run the block here, without rights, on another port. */
  command(path: string, folder: string): string[];
  config(block: string, port: number, folder: string): string;
}

const proxies: readonly Proxy[] = [
  {
    program: "nginx",
    file: "nginx.conf",
    command: (path, folder) => [path, "-e", join(folder, "error.log"), "-p", folder, "-c", join(folder, "nginx.conf")],
    config: (block, port, folder) => {
      const kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
      const paths = kinds.map((kind) => `${kind}_temp_path ${folder}/${kind};`).join("\n");
      const http = block.replace("listen 80;", `listen 127.0.0.1:${port};`);
      return `daemon off; master_process off; pid ${folder}/pid; error_log ${folder}/error.log;\nevents {}\nhttp { access_log off; ${paths}\n${http} }`;
    },
  },
  {
    program: "caddy",
    file: "Caddyfile",
    command: (path, folder) => [path, "run", "--adapter", "caddyfile", "--config", join(folder, "Caddyfile")],
    config: (block, port) => `{\n  admin off\n}\n${block.replace("http://bus.example", `http://bus.example:${port}`)}`,
  },
];

for (const { program, file, command, config } of proxies) {
  describeWith(program, `behind ${program}, set up as the guide says`, (path) => {
    const folder = temporaryFolder();
    const port = freePort();
    const url = `http://127.0.0.1:${port}`;
    const headers = { Host: `bus.example:${port}` };
    let service: TestService;
    let proxy: Bun.Subprocess;

    beforeAll(async () => {
      service = await startService({ allowedHosts: ["bus.example"] });
      const block = blocksOf(GUIDE).find(({ mark }) => mark === `file ${file}`)?.text ?? "";
      const here = block.replace("127.0.0.1:9800", `127.0.0.1:${service.port}`);
      mkdirSync(join(folder.path, "logs"));
      writeFileSync(join(folder.path, file), config(here, port, folder.path));
      const env = { PATH: process.env["PATH"], HOME: folder.path };
      proxy = Bun.spawn(command(path, folder.path), { env, stdout: "ignore", stderr: "ignore", stdin: "ignore" });
      const isUp = () =>
        fetch(`${url}/healthz`, { headers }).then(
          ({ ok }) => ok,
          () => false,
        );
      await until(isUp, `${program} did not start`);
    }, START_MS);

    afterAll(async () => {
      proxy?.kill("SIGKILL"); // asked to end, Caddy waits for its connections
      await proxy?.exited;
      await service?.[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    });

    test.each(["text/event-stream", "application/x-ndjson"])("a stream of %s comes at once", async (accept) => {
      const stream = await fetch(`${url}/api/events/stream?pattern=a.*`, { headers: { ...headers, Accept: accept } });
      const { id } = await publish(service.url, "a.b");
      let text = "";
      for await (const chunk of stream.body?.pipeThrough(new TextDecoderStream()) ?? []) {
        text += chunk;
        if (text.includes(`"id":${id},`)) break;
      }
      expect(text).toContain(`{"id":${id},"topic":"a.b"`);
    });

    test("a WebSocket is upgraded, and answers", async () => {
      using socket = await TestSocket.open(url, "pattern=none", headers);
      expect(await socket.ask({ type: "ping", ref: 1 })).toEqual({ type: "pong", ref: 1 });
    });
  });
}

function freePort(): number {
  const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => {} } });
  server.stop(true);
  return server.port;
}
