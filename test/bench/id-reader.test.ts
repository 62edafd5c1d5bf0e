import { expect, test } from "bun:test";
import fc from "fast-check";
import { IdReader } from "../../bench/load/id-reader.ts";

const ALL = { after: 0, isGapless: true, keepsIds: true };

test("ids are read from frames of any size, however the bytes are divided", () => {
  const frames = fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 40 });
  fc.assert(
    fc.property(frames, fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1 }), (sizes, cuts) => {
      const reader = new IdReader(ALL);
      const stream = Buffer.concat(sizes.map((size, index) => event(index + 1, size)));
      for (const chunk of cut(stream, cuts)) reader.take(chunk, 0);
      expect(reader.ids).toEqual(sizes.map((_, index) => index + 1));
      expect(reader.fault).toBe("");
    }),
  );
});

test("a frame of 64 KiB and more is skipped whole", () => {
  const reader = new IdReader(ALL);
  for (const chunk of cut(Buffer.concat([event(1, 70_000), event(2, 10)]), [1000])) reader.take(chunk, 0);
  expect(reader.ids).toEqual([1, 2]);
});

test("a lost event and one that comes twice are faults", () => {
  const lost = new IdReader(ALL);
  lost.take(Buffer.concat([event(1, 10), event(3, 10)]), 0);
  expect(lost.fault).toBe("3 came after 1");
  const twice = new IdReader({ ...ALL, isGapless: false });
  twice.take(Buffer.concat([event(4, 10), event(4, 10)]), 0);
  expect(twice.fault).toBe("4 came after 4");
});

test("the end of a replay makes the reader live, and a gap is a fault", () => {
  const reader = new IdReader(ALL);
  reader.take(Buffer.concat([event(1, 10), text('{"type":"caught_up","id":1}')]), 0);
  expect(reader.isLive).toBe(true);
  expect(reader.fault).toBe("");
  reader.take(text('{"type":"gap","after":1,"next":7}'), 0);
  expect(reader.fault).toStartWith('after 1 came {"type":"gap"');
});

test("pings are not events", () => {
  const reader = new IdReader(ALL);
  reader.take(Buffer.concat([Buffer.from([0x89, 0]), event(1, 10), Buffer.from([0x89, 0])]), 0);
  expect(reader.events).toBe(1);
});

function event(id: number, size: number): Buffer {
  return text(`{"id":${id},"topic":"t","data":"${"x".repeat(size)}"}`);
}

/** An unmasked text frame, as servers send it. */
function text(payload: string): Buffer {
  const { length } = payload;
  const header = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
  header[0] = 0x81;
  header[1] = length < 126 ? length : length < 65_536 ? 126 : 127;
  if (header.length === 4) header.writeUInt16BE(length, 2);
  if (header.length === 10) header.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([header, Buffer.from(payload)]);
}

/** The stream in pieces whose sizes are used in turn. */
function cut(stream: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0, index = 0; at < stream.length; index++) {
    const size = sizes[index % sizes.length] ?? 1;
    chunks.push(stream.subarray(at, at + size));
    at += size;
  }
  return chunks;
}
