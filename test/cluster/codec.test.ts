import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { toRawJson } from "../../src/bus/json.ts";
import type { Change, Entry } from "../../src/bus/ports.ts";
import { parseTopic } from "../../src/bus/topic.ts";
import { decodeEntry, ENTRY_VERSION, EntryError, encodeEntry } from "../../src/cluster/codec.ts";
import { draft, rawDraft } from "../contract/log-driver.ts";

const SEED = process.env["EVENTBUS_TEST_SEED"];

const aTopic = fc.constantFrom("a", "orders.created", "é.😀", "a:b>c$d").map(parseTopic);
const aSource = fc.string({ unit: "binary", maxLength: 40 }).filter((text) => Buffer.byteLength(text) <= 255);
const aDraft = fc.record({ topic: aTopic, data: fc.jsonValue().map(toRawJson), source: aSource });
const aRecord = fc.record({
  name: fc.stringMatching(/^[a-z]{1,10}$/),
  hash: fc.stringMatching(/^[0-9a-f]{64}$/),
  publish: fc.array(fc.string()),
  subscribe: fc.array(fc.string()),
  consume: fc.array(fc.string()),
  isAdmin: fc.boolean(),
  isMonitor: fc.boolean(),
  createdMs: fc.nat(),
  expiresMs: fc.option(fc.nat(), { nil: undefined }),
});
const aChange: fc.Arbitrary<Change> = fc.oneof(
  fc.record({
    kind: fc.constant("append" as const),
    drafts: fc.array(aDraft, { maxLength: 8 }),
    idempotencyKey: fc.option(fc.string(), { nil: undefined }),
  }),
  fc.record({ kind: fc.constant("addToken" as const), record: aRecord }),
  fc.record({ kind: fc.constant("removeToken" as const), name: fc.string(), keepsAdmin: fc.boolean() }),
  fc.record({ kind: fc.constant("prune" as const), upTo: fc.nat() }),
  fc.record({ kind: fc.constant("origin" as const), head: fc.nat(), hash: fc.string() }),
);
const anEntry: fc.Arbitrary<Entry> = fc.record({
  node: fc.string(),
  number: fc.nat(),
  atMs: fc.nat(),
  changes: fc.array(aChange, { maxLength: 6 }),
});

function entryOf(...changes: Change[]): Entry {
  return { node: "a", number: 1, atMs: 2, changes };
}

describe("an entry", () => {
  test("comes back from its bytes as it was", () => {
    const property = fc.property(anEntry, (entry) => {
      expect(decodeEntry(encodeEntry(entry))).toEqual(entry);
    });
    fc.assert(property, { numRuns: 500, ...(SEED === undefined ? {} : { seed: Number(SEED) }) });
  });

  test("keeps data verbatim", () => {
    const texts = [
      "12345678901234567890",
      "1.10",
      "1e400",
      '{"b":1,"a":2,"b":3}',
      '"\\u0000\\t é 😀 \\ud800"',
      "[ ]",
      "null",
    ];
    const drafts = texts.map((text) => rawDraft("a", text));
    const { changes } = decodeEntry(encodeEntry(entryOf({ kind: "append", drafts, idempotencyKey: undefined })));
    expect(changes[0]).toMatchObject({ drafts: texts.map((data) => ({ data })) });
  });

  test("has bytes that later versions must read", () => {
    const drafts = [draft("a.b", { n: 1 }, "s\n"), draft("c")];
    const bytes = encodeEntry(
      entryOf(
        { kind: "append", drafts, idempotencyKey: "k" },
        { kind: "prune", upTo: 7 },
        { kind: "removeToken", name: "t", keepsAdmin: true },
      ),
    );
    const brief = '{"append":2,"key":"k"},{"prune":7},{"removeToken":"t","keepsAdmin":true}';
    expect(Buffer.from(bytes).toString()).toBe(
      `\u0001{"node":"a","number":1,"at":2,"changes":[${brief}]}\na.b\t"s\\n"\t{"n":1}\nc\t\tnull`,
    );
  });

  test("of a newer version is refused, and says what to do", () => {
    const bytes = encodeEntry(entryOf());
    bytes[0] = ENTRY_VERSION + 1;
    expect(() => decodeEntry(bytes)).toThrow(/written by a newer eventbus \(version 2, .*update this node/);
  });

  test.each([
    ["nothing", ""],
    ["no JSON", "\u0001{"],
    ["another JSON", "\u0001[]"],
    ["an unknown change", '\u0001{"node":"a","number":1,"at":1,"changes":[{"explode":1}]}'],
    ["fewer events than named", '\u0001{"node":"a","number":1,"at":1,"changes":[{"append":2}]}\na\t\t1'],
    ["more events than named", '\u0001{"node":"a","number":1,"at":1,"changes":[{"append":1}]}\na\t\t1\na\t\t1'],
    ["an invalid topic", '\u0001{"node":"a","number":1,"at":1,"changes":[{"append":1}]}\na..b\t\t1'],
    ["no number", '\u0001{"node":"a","number":1.5,"at":1,"changes":[]}'],
  ])("is not made of bytes with %s", (_, text) => {
    expect(() => decodeEntry(Buffer.from(text))).toThrow(EntryError);
  });

  test("is read whole, or not at all, when its bytes were changed", () => {
    const bytesOf = (entry: Entry) => encodeEntry(entry);
    const property = fc.property(anEntry, fc.nat(), fc.integer({ min: 0, max: 255 }), (entry, place, value) => {
      const bytes = bytesOf(entry);
      bytes[place % bytes.length] = value;
      try {
        decodeEntry(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(EntryError);
      }
    });
    fc.assert(property, { numRuns: 500, ...(SEED === undefined ? {} : { seed: Number(SEED) }) });
  });
});
