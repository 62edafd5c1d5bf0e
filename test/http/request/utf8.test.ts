import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { decodeText, decodeUtf8, decodeUtf8Lines } from "../../../src/http/request/utf8.ts";
import { busErrorOf } from "../../helpers/bus-error.ts";

/** Bytes of Latin-1 text: each character is a byte. */
const bytesOf = (text: string) => Buffer.from(text, "latin1");

describe("bytes of a body", () => {
  test("are read as UTF-8, all of it", () => {
    const text = "a\u0000\u007fé日😀\u2028\uFFFD";
    expect(decodeUtf8(new TextEncoder().encode(text))).toBe(text);
    expect(decodeUtf8(new Uint8Array())).toBe("");
  });

  test("lose one byte order mark, at the start only", () => {
    expect(decodeUtf8(bytesOf("\xEF\xBB\xBF1"))).toBe("1");
    expect(decodeUtf8(bytesOf("1\xEF\xBB\xBF"))).toBe("1\uFEFF");
    expect(decodeUtf8(bytesOf("\xEF\xBB\xBF\xEF\xBB\xBF"))).toBe("\uFEFF");
  });
});

describe("bytes that are not UTF-8 are reported with their position", () => {
  test.each([
    ["the first byte", "\xFF", 0],
    ["a byte after a character of two bytes", "\xC3\xA9\xFF", 1],
    ["a byte after a character of four bytes, which are two code units", "\xF0\x9F\x98\x80\xFF", 2],
    ["a character that is cut off", '{"a":"\xE6\x97', 6],
    ["a surrogate", '{"a":"\xED\xA0\x80"}', 6],
    ["an overlong form", "1\xC0\x80", 1],
    ["UTF-16", "\xFF\xFE{\0}\0", 0],
    ["a code point past the last", "1\xF4\x90\x80\x80", 1],
    ["a stray byte behind a byte order mark, which does not count", "\xEF\xBB\xBF\xFF", 0],
  ])("%s", (_, text, position) => {
    const error = busErrorOf(() => decodeUtf8(bytesOf(text)));
    expect(error.code).toBe("json_invalid");
    expect(error.message).toBe(`the body is not valid UTF-8 at position ${position}`);
    expect(error.members).toEqual({ position });
    expect(decodeUtf8(bytesOf("1"))).toBe("1");
  });

  test("in a text, whose byte order mark counts", () => {
    expect(busErrorOf(() => decodeText(bytesOf("\xEF\xBB\xBF\xFF"))).members).toEqual({ position: 1 });
  });

  test("of the line, in JSON lines", () => {
    const error = busErrorOf(() => decodeUtf8Lines(bytesOf('{"topic":"a"}\n\n{"topic":"\xFF"}\n')));
    expect(error.message).toBe("line 3: the body is not valid UTF-8 at position 10");
    expect(error.members).toEqual({ line: 3, position: 10 });
  });

  test("wherever it is", () => {
    const units = fc.constantFrom(..."a\n", "é", "日", "😀");
    const property = fc.property(
      fc.array(units, { maxLength: 60 }),
      fc.uint8Array({ maxLength: 8 }),
      (before, after) => {
        const valid = before.join("");
        // No valid text contains this byte.
        const bytes = Buffer.concat([Buffer.from(valid), Buffer.from([0xff]), after]);
        expect(busErrorOf(() => decodeUtf8(bytes)).members).toEqual({ position: valid.length });
      },
    );
    fc.assert(property);
  });

  test("whatever the bytes are", () => {
    const some = fc.constantFrom(0x61, 0x80, 0x98, 0x9f, 0xa0, 0xc3, 0xe6, 0xed, 0xf0, 0xff);
    const property = fc.property(fc.array(some, { maxLength: 40 }), (list) => {
      const bytes = Uint8Array.from(list);
      const lengths = Array.from({ length: bytes.length + 1 }, (_, length) => length);
      const longest = lengths.findLast((length) => isValid(bytes.subarray(0, length))) ?? 0;
      if (longest === bytes.length) return;
      const { length: position } = decodeUtf8(bytes.subarray(0, longest));
      expect(busErrorOf(() => decodeUtf8(bytes)).members).toEqual({ position });
    });
    fc.assert(property, { numRuns: 1000 });
  });
});

function isValid(bytes: Uint8Array): boolean {
  try {
    decodeUtf8(bytes);
    return true;
  } catch {
    return false;
  }
}
