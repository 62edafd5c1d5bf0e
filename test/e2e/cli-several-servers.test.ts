import { expect, test } from "bun:test";
import { Binary, runBinary } from "../helpers/binary.ts";
import { freePort } from "../helpers/port.ts";

const nowhere = `http://127.0.0.1:${freePort()}`;

test("the client commands use the next address when one does not respond", async () => {
  await using server = await Binary.start();
  const flags = ["--url", `${nowhere},${server.url}`];
  const published = await runBinary(["publish", "--ndjson", "a", ...flags], { stdin: "1\n2\n" });
  expect(published).toMatchObject({ exitCode: 0 });
  const subscribed = await runBinary(["subscribe", "--since", "all", "--count", "2", "--output", "data", ...flags]);
  expect(subscribed).toMatchObject({ exitCode: 0, stdout: "1\n2\n" });
  const backedUp = await runBinary(["backup", "copy.db", ...flags]);
  expect(backedUp).toMatchObject({ exitCode: 0 });
});

test("the client commands end when no address responds", async () => {
  const { exitCode, stderr } = await runBinary(["publish", "a", "1", "--url", `${nowhere},http://127.0.0.1:1`]);
  expect(exitCode).toBe(1);
  expect(stderr).toContain("connection refused");
});
