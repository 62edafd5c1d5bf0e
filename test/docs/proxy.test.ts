import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Browser, Page } from "playwright-core";
import { ServerProcess } from "../client/server-process.ts";
import { launchChromium, watch } from "../helpers/browser.ts";
import { makeCertificate } from "../helpers/certificates.ts";
import { publish } from "../helpers/http.ts";
import { until } from "../helpers/inbox.ts";
import { blocksOf } from "../helpers/markdown.ts";
import { freePort } from "../helpers/port.ts";
import { describeWith, type Program, programPath, testWith } from "../helpers/requires.ts";
import { TestSocket } from "../helpers/socket.ts";
import { TempFolder } from "../helpers/temp.ts";

const GUIDE = readFileSync(resolve(import.meta.dir, "../../docs/guide/production.md"), "utf8");
/** A proxy's start, and a browser's, may take this long on a busy machine. */
const START_MS = 60_000;
const NAME = "bus.example";

interface Place {
  readonly port: number;
  readonly folder: string;
  /** PEM files: the certificate, its key, and both in one; undefined without TLS. */
  readonly tls: { readonly cert: string; readonly key: string; readonly both: string } | undefined;
}

interface Proxy {
  readonly program: Program;
  /** The mark of the block in the guide. */
  readonly file: string;
  command(path: string, folder: string): string[];
  /** The block of the guide, with what it takes to run it here: unprivileged, on another port, with a certificate. */
  config(block: string, place: Place): string;
}

const proxies: readonly Proxy[] = [
  {
    program: "nginx",
    file: "nginx.conf",
    command: (path, folder) => [path, "-e", join(folder, "error.log"), "-p", folder, "-c", join(folder, "nginx.conf")],
    config: (block, { port, folder, tls }) => {
      const kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
      const paths = kinds.map((kind) => `${kind}_temp_path ${folder}/${kind};`).join("\n");
      const files = tls && `ssl; ssl_certificate ${tls.cert}; ssl_certificate_key ${tls.key};`;
      const http = block.replace("listen 80;", `listen 127.0.0.1:${port} ${files ?? ";"}`);
      return `daemon off; master_process off; pid ${folder}/pid; error_log ${folder}/error.log;\nevents {}\nhttp { access_log off; ${paths}\n${http} }`;
    },
  },
  {
    program: "caddy",
    file: "Caddyfile",
    command: (path, folder) => [path, "run", "--adapter", "caddyfile", "--config", join(folder, "Caddyfile")],
    config: (block, { port, tls }) => {
      const site = tls ? `https://${NAME}:${port} {\n  tls ${tls.cert} ${tls.key}` : `http://${NAME}:${port} {`;
      return `{\n  admin off\n  auto_https off\n}\n${block.replace(`http://${NAME} {`, site)}`;
    },
  },
  {
    program: "haproxy",
    file: "haproxy.cfg",
    command: (path, folder) => [path, "-db", "-f", join(folder, "haproxy.cfg")],
    config: (block, { port, tls }) =>
      block.replace("bind :80", `bind 127.0.0.1:${port}${tls ? ` ssl crt ${tls.both}` : ""}`),
  },
];

/** One for all of them: starting it takes longer than showing the pages of one proxy. */
let browser: Browser | undefined;
beforeAll(async () => {
  const chromium = programPath("chromium");
  if (chromium) browser = await launchChromium(chromium, [`--host-resolver-rules=MAP ${NAME} 127.0.0.1`]);
}, START_MS);
afterAll(() => browser?.close());

for (const { program, file, command, config } of proxies) {
  for (const scheme of ["http", "https"] as const) {
    describeWith(program, `behind ${program} with ${scheme}, set up as the guide says`, (path) => {
      const folder = new TempFolder();
      const port = freePort();
      /** The proxy's address for a program; a browser uses its name. */
      const local = `${scheme}://127.0.0.1:${port}`;
      const headers = { Host: `${NAME}:${port}` };
      const tls = { rejectUnauthorized: false, serverName: NAME };
      let server: ServerProcess;
      let proxy: Bun.Subprocess;

      beforeAll(async () => {
        server = await ServerProcess.start(["--allowed-host", NAME, "--trusted-proxy", "127.0.0.1"]);
        const block = blocksOf(GUIDE).find(({ mark }) => mark === `file ${file}`)?.text ?? "";
        const here = block.replaceAll("127.0.0.1:9800", `127.0.0.1:${server.port}`);
        mkdirSync(folder.file("logs"));
        const place = { port, folder: folder.path, tls: scheme === "https" ? await certify(folder.path) : undefined };
        writeFileSync(folder.file(file), config(here, place));
        const env = { PATH: process.env["PATH"], HOME: folder.path };
        proxy = Bun.spawn(command(path, folder.path), { env, stdout: "ignore", stderr: "ignore", stdin: "ignore" });
        const isUp = () =>
          fetch(`${local}/healthz`, { headers, tls }).then(
            ({ ok }) => ok,
            () => false,
          );
        await until(isUp, `${program} did not start`);
      }, START_MS);

      afterAll(async () => {
        proxy?.kill("SIGKILL"); // asked to end, Caddy waits for its connections
        await proxy?.exited;
        await server?.[Symbol.asyncDispose]();
        folder[Symbol.dispose]();
      });

      describe.each(["", "/bus"])("at %s/", (prefix) => {
        const base = `${scheme}://${NAME}:${port}${prefix}`;

        test.each(["text/event-stream", "application/x-ndjson"])("a stream of %s comes at once", async (accept) => {
          const init = { headers: { ...headers, Accept: accept }, tls };
          const stream = await fetch(`${local}${prefix}/api/events/stream?pattern=a.*`, init);
          const { id } = await publish(server.url, "a.b");
          let text = "";
          for await (const chunk of stream.body?.pipeThrough(new TextDecoderStream()) ?? []) {
            text += chunk;
            if (text.includes(`"id":${id},`)) break;
          }
          expect(text).toContain(`{"id":${id},"topic":"a.b"`);
        });

        testWith(["chromium"], "a browser gets events, by whatever transport, and calls the bus", () =>
          visit(`${base}/`, async (page) => {
            await page.getByRole("heading", { name: "Live" }).first().waitFor({ state: "attached" });
            const { id } = await publish(server.url, "orders.created", 1);
            await page.locator(`#row-${id}`).waitFor();
            const address = new URL("asyncapi.json", page.url()).href;
            const described = await page.evaluate(async (url) => (await fetch(url)).json(), address);
            expect(described.servers.this).toMatchObject({
              host: `${NAME}:${port}`,
              protocol: scheme === "https" ? "wss" : "ws",
              ...(prefix === "" ? {} : { pathname: prefix }),
            });
            const events = page.evaluate(subscribeByBoth);
            await publish(server.url, "seen.by-both");
            expect(await events).toHaveLength(2);
            await page.goto(`${base}/swagger/`);
            expect(page.url()).toBe(`${base}/swagger`);
            const operation = page.locator('.opblock[id$="-history"]');
            await operation.locator(".opblock-summary-control").click();
            await operation.getByRole("button", { name: "Try it out" }).click();
            const answered = page.waitForResponse((response) => response.url().includes("/history"));
            await operation.getByRole("button", { name: "Execute" }).click();
            const answer = await answered;
            expect(answer.url()).toStartWith(`${base}/api/events/history`);
            expect(answer.status()).toBe(200);
          }),
        );
      });

      if (scheme === "http") {
        test("a WebSocket is upgraded, and answers", async () => {
          using socket = await TestSocket.open(local, "pattern=none", headers);
          expect(await socket.ask({ type: "ping", ref: 1 })).toEqual({ type: "pong", ref: 1 });
        });
      }

      /** Opens the page, and requires that it logs no error and sends no request elsewhere. */
      async function visit(address: string, look: (page: Page) => Promise<void>): Promise<void> {
        const context = await browser?.newContext({ ignoreHTTPSErrors: true });
        if (context === undefined) throw new Error("there is no browser");
        try {
          const page = await context.newPage();
          const record = watch(page);
          await page.goto(address);
          await look(page);
          expect(record.complaints).toEqual([]);
          expect(record.requests.filter((url) => !/^data:/.test(url) && new URL(url).hostname !== NAME)).toEqual([]);
        } finally {
          await context.close();
        }
      }
    });
  }
}

/** In the page: the first event that a WebSocket and an `EventSource` get. */
function subscribeByBoth(): Promise<string[]> {
  return new Promise((done) => {
    const got: string[] = [];
    const add = (data: string) => got.push(JSON.parse(data).topic) === 2 && done(got);
    const socket = new WebSocket(new URL("api/events/subscribe?last=1", location.href.replace(/^http/, "ws")));
    socket.onmessage = ({ data }) => data.includes('"type"') || add(data);
    new EventSource("api/events/stream?last=1").onmessage = ({ data }) => add(data);
  });
}

async function certify(folder: string): Promise<NonNullable<Place["tls"]>> {
  const { cert, key } = await makeCertificate(NAME);
  const texts = { cert, key, both: cert + key };
  const files = { cert: join(folder, "cert.pem"), key: join(folder, "key.pem"), both: join(folder, "both.pem") };
  for (const name of ["cert", "key", "both"] as const) writeFileSync(files[name], texts[name], { mode: 0o600 });
  return files;
}
