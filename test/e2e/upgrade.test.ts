import { expect, test } from "bun:test";
import { copyFileSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { SCHEMA_VERSION } from "../../src/store/file/sqlite.ts";
import { type Cheat, startServer } from "../faults/lib/server.ts";
import { runBinary } from "../helpers/binary.ts";
import { TempFolder } from "../helpers/temp.ts";

const FIXTURES = resolve(import.meta.dir, "../fixtures");
/** `schema-1`, and one for each later schema: see make-schema.ts there. */
const names = readdirSync(FIXTURES)
  .filter((file) => file.endsWith(".db"))
  .map((file) => file.slice(0, -3))
  .sort();

test("there is a history of each schema", () => {
  expect(names).toEqual(Array.from({ length: SCHEMA_VERSION }, (_, index) => `schema-${index + 1}`));
});

/** Fails the test unless a history that was made by this schema has everything, when it is opened and again later. */
async function upgrade(name: string, cheat?: Cheat): Promise<void> {
  const lines = readFileSync(join(FIXTURES, `${name}.ndjson`), "utf8");
  const { secret, place } = JSON.parse(readFileSync(join(FIXTURES, `${name}.json`), "utf8"));
  const headers = { authorization: `Bearer ${secret}`, accept: "application/x-ndjson" };
  const lastId = JSON.parse(lines.trimEnd().split("\n").at(-1) ?? "").id;
  using folder = new TempFolder();
  const args = ["--db", folder.file()];
  copyFileSync(join(FIXTURES, `${name}.db`), folder.file());
  for (const _ of ["the first time", "once it was converted"]) {
    await using server = await startServer({ args }, cheat);
    const ask = (path: string, init: RequestInit = {}) => fetch(server.url + path, { headers, ...init });
    expect(await (await ask("/api/events/history?after=0&last=10000")).text()).toStartWith(lines);
    expect(await (await ask("/api/consumers/worker")).json()).toMatchObject({ place, retrying: 2 });
    const published = await ask("/api/events/publish/new", { method: "POST", body: "1" });
    expect((await published.json()).id).toBeGreaterThan(lastId);
    expect(await server.stop()).toBe(0);
    expect(await runBinary(["check", ...args])).toMatchObject({ exitCode: 0 });
  }
}

test.each(names)("a history of %s is sound, opens, and has every event as it was, its tokens and consumers", (name) =>
  upgrade(name),
);

test("a conversion that loses events is detected", async () => {
  await expect(upgrade("schema-1", "forgetful")).rejects.toThrow("expect(received)");
});
