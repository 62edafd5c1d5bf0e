import { expect, test } from "bun:test";
import fc from "fast-check";
import { KeyIndex } from "../../../src/store/keys/key-index.ts";

const aStep = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("add"), hashes: fc.array(fc.nat(40), { maxLength: 400 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("dropBelow"), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("dropFrom"), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
  },
);

test("an index of keys agrees with a plain list, whatever comes and goes", () => {
  const property = fc.property(
    fc.integer({ min: 1, max: 1000 }),
    fc.array(aStep, { maxLength: 40 }),
    (start, steps) => {
      const index = new KeyIndex();
      index.startAt(start);
      let first = start;
      let rows: number[] = [];
      for (const step of steps) {
        if (!("share" in step)) {
          for (const hash of step.hashes) index.add(hash, hash);
          rows.push(...step.hashes);
        } else {
          const kept = Math.round(step.share * rows.length);
          if (step.kind === "dropBelow") {
            index.dropBelow(first + rows.length - kept);
            first += rows.length - kept;
            rows = rows.slice(rows.length - kept);
          } else {
            index.dropFrom(first + kept);
            rows = rows.slice(0, kept);
          }
        }
        expect([index.first, index.next, index.size]).toEqual([first, first + rows.length, rows.length]);
        expect(index.bytes).toBe(rows.reduce((sum, hash) => sum + hash, 0));
      }
      for (const hash of [0, 7, 40, 41]) {
        const expected = rows.flatMap((row, place) => (row === hash ? [first + place] : []));
        expect(index.find(hash)).toEqual(expected.reverse());
      }
    },
  );
  const seed = process.env["EVENTBUS_TEST_SEED"];
  fc.assert(property, { numRuns: 200, ...(seed === undefined ? {} : { seed: Number(seed) }) });
});
