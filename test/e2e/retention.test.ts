import { describe, expect, test } from "bun:test";
import { Binary } from "../helpers/binary.ts";
import { expectOk, history, post, publish } from "../helpers/http.ts";
import { TempFolder } from "../helpers/temp.ts";

const LARGE = "x".repeat(100_000);
/** What each rule leaves of 30 events of 100 kB, once the youngest has the age that the rule is about. */
const rules = [
  [["--max-history", "3"], (ids: readonly number[]) => ids.length === 3, 0],
  [["--max-age", "1s"], (ids: readonly number[]) => ids.length === 0, 1000],
  [["--max-bytes", "1MiB"], (ids: readonly number[]) => ids.length >= 5 && ids.length <= 10, 0],
  [["--max-history", "20", "--max-age", "1h", "--max-bytes", "1GiB"], (ids: readonly number[]) => ids.length === 20, 0],
] as const;

async function idsOf(url: string): Promise<number[]> {
  return (await history(url, "last=100")).map(({ id }) => id);
}

/** Publishes 30 events; resolves with the time of the last one. */
async function publishLarge(url: string): Promise<number> {
  for (let index = 1; index < 30; index++) await publish(url, "large", LARGE);
  return Date.parse((await publish(url, "large", LARGE)).created_at);
}

describe.each(rules)("%p", (args, isLeft, ageMs) => {
  test("is applied at the interval", async () => {
    await using binary = await Binary.start({ args: [...args, "--prune-interval", "100ms"] });
    await publishLarge(binary.url);
    let ids = await idsOf(binary.url);
    while (!isLeft(ids)) {
      await Bun.sleep(20);
      ids = await idsOf(binary.url);
    }
    expect(ids).toEqual(Array.from(ids, (_, index) => 30 - index));
  });

  test("is applied by POST /api/events/prune, and not before", async () => {
    await using binary = await Binary.start({ args });
    const lastAtMs = await publishLarge(binary.url);
    expect(await idsOf(binary.url)).toHaveLength(30);
    while (Date.now() <= lastAtMs + ageMs) await Bun.sleep(20);
    const { pruned } = await expectOk<{ pruned: number }>(
      await fetch(`${binary.url}/api/events/prune`, { method: "POST" }),
    );
    const ids = await idsOf(binary.url);
    expect({ ids, isLeft: isLeft(ids) }).toEqual({ ids, isLeft: true });
    expect(ids).toHaveLength(30 - pruned);
  });
});

test("what was pruned stays away after a restart, and no id is given again", async () => {
  using folder = new TempFolder();
  const args = ["--max-age", "1s"];
  await using first = await Binary.start({ folder: folder.path, args });
  const lastAtMs = await publishLarge(first.url);
  while (Date.now() <= lastAtMs + 1000) await Bun.sleep(20);
  await fetch(`${first.url}/api/events/prune`, { method: "POST" });
  await first.kill();
  await using second = await Binary.start({ folder: folder.path, args });
  expect(await idsOf(second.url)).toEqual([]);
  expect((await fetch(`${second.url}/api/events/30`)).status).toBe(410);
  expect((await publish(second.url, "next")).id).toBe(31);
});

test("an Idempotency-Key is remembered across a restart", async () => {
  using folder = new TempFolder();
  await using first = await Binary.start({ folder: folder.path });
  const answer = await (await post(first.url, { topic: "a" }, { key: "k" })).text();
  await first.stop();
  await using second = await Binary.start({ folder: folder.path });
  const again = await post(second.url, { topic: "a" }, { key: "k" });
  expect(again.headers.get("idempotency-replayed")).toBe("true");
  expect(await again.text()).toBe(answer);
  expect(await idsOf(second.url)).toEqual([1]);
});
