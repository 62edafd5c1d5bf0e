import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Binary } from "../helpers/binary.ts";
import { describeWith } from "../helpers/requires.ts";
import { report, rounds, SEED } from "../helpers/rounds.ts";

const EXAMPLES = rounds(5, 200);
/** Streams do not end, and schemathesis waits for the end of an answer. */
const ENDLESS = ["/api/events/stream", "/api/events/subscribe"];
/**
 * All checks but this one: it demands that whatever matches a schema is accepted; but the grammar of patterns, or that
 * the first token is an admin token, cannot be put into a schema.
 */
const OMITTED_CHECK = "positive_data_acceptance";

describeWith("schemathesis", "every route, from its own OpenAPI document,", (schemathesis) => {
  test("returns documented answers to whatever fits the document, and to what does not", async () => {
    await using server = await Binary.start();
    const command = [
      ...[schemathesis, "--config-file", join(import.meta.dir, "lib", "schemathesis.toml")],
      ...["run", `${server.url}/swagger/json`, "--no-color", "--seed", `${SEED}`],
      ...["--checks", "all", "--exclude-checks", OMITTED_CHECK, "--max-examples", `${EXAMPLES}`],
      ...ENDLESS.flatMap((path) => ["--exclude-path", path]),
    ];
    const env = { ...process.env, SCHEMATHESIS_HOOKS: "schemathesis_hooks", PYTHONPATH: join(import.meta.dir, "lib") };
    const run = Bun.spawn(command, { env, cwd: server.folder, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
    const output = await new Response(run.stdout).text();
    const [, cases = "?"] = /(\d+) generated/.exec(output) ?? [];
    report("OpenAPI", { requests: cases });
    expect({ exitCode: await run.exited, output }).toEqual({ exitCode: 0, output });
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
    expect(server.stderr).not.toMatch(/ (error|fatal) /);
  }, 3_600_000);

  test("would fail this test if an answer were not documented", async () => {
    await using server = await Binary.start();
    const document = await (await fetch(`${server.url}/swagger/json`)).json();
    delete document.paths["/api/events/history"].get.responses["400"];
    const file = join(server.folder, "openapi.json");
    writeFileSync(file, JSON.stringify(document));
    const command = [schemathesis, "run", file, "--url", server.url, "--checks", "status_code_conformance"];
    const only = ["--include-path", "/api/events/history", "--max-examples", "20", "--no-color"];
    const { exitCode, stdout } = Bun.spawnSync([...command, ...only], { cwd: server.folder });
    expect(exitCode).toBe(1);
    expect(stdout.toString()).toContain("Undocumented status code");
  }, 240_000);
});
