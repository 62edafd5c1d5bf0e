import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { TokenBook } from "../../../src/bus/access/tokens.ts";
import { checkFile } from "../../../src/store/check/check.ts";
import { SqliteEventLog } from "../../../src/store/event-log.ts";
import { permissions } from "../../helpers/permissions.ts";
import { TempFolder } from "../../helpers/temp.ts";

const shop = { ...permissions, name: "shop", publish: ["*"], subscribe: ["a.*", "b"], isMonitor: true };
const root = { ...shop, name: "root", isAdmin: true, isMonitor: false, expiresMs: 4_000_000_000_000 };

let folder: TempFolder;
let damage: string[];

beforeEach(() => {
  folder = new TempFolder();
  damage = [];
});

afterEach(() => folder[Symbol.dispose]());

function open(path = folder.file()): { log: SqliteEventLog; book: TokenBook } {
  const log = new SqliteEventLog(path, { onDamage: (detail) => damage.push(detail) });
  return { log, book: new TokenBook(log.tokens, { clock: () => 1_000_000_000_000, hasOtherAdmins: false }) };
}

/** A closed file with two tokens; returns the admin's secret. */
async function makeFile(): Promise<string> {
  const { log, book } = open();
  const { secret } = await book.create(root);
  await book.create(shop);
  await log.close();
  return secret;
}

function change(...statements: string[]): void {
  const database = new Database(folder.file());
  for (const statement of statements) database.run(statement);
  database.close(true);
}

async function faults(): Promise<string[]> {
  const found: string[] = [];
  await checkFile(folder.file(), { onDamage: (detail) => found.push(detail) });
  return found;
}

describe("tokens in the file", () => {
  test("are there again when it is opened, and the secret is nowhere", async () => {
    const secret = await makeFile();
    const { log, book } = open();
    expect(book.list()).toMatchObject([root, shop]);
    expect(book.find(secret)).toMatchObject({ name: "token root", isAdmin: true });
    expect(book.find(`${secret}x`)).toBeUndefined();
    expect(book.isEmpty).toBe(false);
    await log.close();
    const bytes = await Bun.file(folder.file()).bytes();
    expect(Buffer.from(bytes).includes(secret)).toBe(false);
    expect(await faults()).toEqual([]);
  });

  test("made twice under one name at the same time are made once, and the other call is rejected", async () => {
    const { log, book } = open();
    await book.create(root);
    const outcomes = await Promise.allSettled([book.create(shop), book.create(shop), book.revoke("shop")]);
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(book.list().map(({ name }) => name)).toEqual(["root"]);
    await log.close();
  });

  test("that are revoked stay revoked", async () => {
    const secret = await makeFile();
    const first = open();
    await first.book.create({ ...root, name: "second" });
    await first.book.revoke("root");
    await first.log.close();
    const { log, book } = open();
    expect(book.list().map(({ name }) => name)).toEqual(["second", "shop"]);
    expect(book.find(secret)).toBeUndefined();
    await log.close();
    expect(await faults()).toEqual([]);
  });

  test("are kept in memory when there is no file", async () => {
    const { log, book } = open(":memory:");
    const { secret } = await book.create(root);
    expect(book.find(secret)?.isAdmin).toBe(true);
    await log.close();
  });
});

describe("a token that is damaged in the file", () => {
  test.each([
    "update token set subscribe = '[\"*\"]' where name = 'shop'",
    "update token set admin = 1 where name = 'shop'",
    "update token set monitor = 0 where name = 'shop'",
    "update token set expires_at = 1 where name = 'shop'",
    "update token set hash = x'00' where name = 'shop'",
  ])("is not accepted, and is reported: %s", async (statement) => {
    await makeFile();
    change(statement);
    expect(await faults()).toEqual(['token "shop": checksum mismatch']);
    const { log, book } = open();
    expect(book.list()).toMatchObject([root]);
    expect(damage).toHaveLength(1);
    await book.revoke("shop");
    await log.close();
    expect(await faults()).toEqual([]);
  });

  test("does not open the bus to everyone, not even when all tokens are lost", async () => {
    await makeFile();
    change("delete from token");
    expect(await faults()).toEqual(["0 of 2 tokens are present"]);
    const { log, book } = open();
    expect(book.isEmpty).toBe(false);
    await log.close();
  });
});

describe("a change that cannot be written", () => {
  test("has no effect: the token is not valid", async () => {
    const { log, book } = open();
    await book.create(root);
    await log.close();
    await expect(book.create(shop)).rejects.toMatchObject({ code: "shutting_down" });
    expect(book.list()).toHaveLength(1);
    await expect(book.revoke("nobody")).rejects.toMatchObject({ code: "shutting_down" });
  });
});
