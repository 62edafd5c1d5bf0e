import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Event, formatTime, SeriesName } from "../../../src/bus/event.ts";
import { toRawJson } from "../../../src/bus/json.ts";
import { parseTopic } from "../../../src/bus/topic.ts";
import { RecentEvents, type StoredEvent } from "../../../src/store/events/recent.ts";

const series = new SeriesName(parseTopic("a"), "");
const TIME_MS = Date.UTC(2026, 10, 30);

function stored(id: number, text = ""): StoredEvent {
  const event = new Event(id, series, formatTime(TIME_MS + id), toRawJson(text));
  return { id, seriesId: 3, createdAtMs: TIME_MS + id, previous: id - 1, skip: id - 2, depth: id + 7, event };
}

function idsIn(recent: RecentEvents, last: number): number[] {
  return Array.from({ length: last }, (_, index) => index + 1).filter((id) => recent.get(id) !== undefined);
}

describe("the newest events", () => {
  test("are none at first", () => {
    const recent = new RecentEvents(4);
    expect([recent.first, recent.has(0), recent.has(1)]).toEqual([Number.POSITIVE_INFINITY, false, false]);
  });

  test("are kept with every column of their rows", () => {
    const recent = new RecentEvents(4);
    const added = [1, 2, 3, 4, 5, 6].map((id) => stored(id));
    for (const one of added) recent.add(one, series);
    expect(added.map(({ id }) => recent.get(id))).toEqual([undefined, undefined, ...added.slice(2)]);
    expect([recent.first, recent.has(2), recent.has(3), recent.has(6), recent.has(7)]).toEqual([
      3,
      false,
      true,
      true,
      false,
    ]);
  });

  test("begin again with an event that does not follow the last one", () => {
    const recent = new RecentEvents(4);
    for (const id of [1, 2, 3, 9, 10]) recent.add(stored(id), series);
    expect(idsIn(recent, 12)).toEqual([9, 10]);
    expect(recent.first).toBe(9);
  });

  test("are kept by the thousand, as the room for them grows, also after it began again", () => {
    const recent = new RecentEvents();
    const begin = 7_000_001;
    recent.add(stored(1), series);
    const added = Array.from({ length: 5000 }, (_, index) => stored(begin + index, "x".repeat(index % 97)));
    for (const one of added) recent.add(one, series);
    expect(added.map(({ id }) => recent.get(id))).toEqual(added);
    expect([recent.first, recent.has(1)]).toEqual([begin, false]);
  });

  test("are fewer if they are large, and none if the newest is larger than all may be", () => {
    const recent = new RecentEvents(100);
    const text = "x".repeat(6 * 1024 * 1024);
    for (const id of [1, 2, 3, 4]) recent.add(stored(id, text), series);
    expect(idsIn(recent, 4)).toEqual([3, 4]);
    recent.add(stored(5, text.repeat(3)), series);
    expect([idsIn(recent, 5), recent.first]).toEqual([[], Number.POSITIVE_INFINITY]);
    recent.add(stored(6), series);
    expect(idsIn(recent, 6)).toEqual([6]);
  });

  test("read as they were added, whatever their sizes and characters are", () => {
    const text = fc.oneof(fc.string({ maxLength: 300 }), fc.string({ unit: "grapheme", maxLength: 150 }));
    fc.assert(
      fc.property(fc.array(text, { maxLength: 60 }), (texts) => {
        const recent = new RecentEvents(16, 2000);
        for (const [index, text] of texts.entries()) {
          const added = stored(index + 1, text);
          recent.add(added, series);
          expect(recent.get(index + 1)).toEqual(added.event.bytes <= 2000 ? added : undefined);
          for (let id = recent.first; id <= index + 1; id++) {
            const { event } = stored(id, texts[id - 1]);
            const read = recent.get(id)?.event;
            expect([read?.json, read?.rawData, read?.bytes]).toEqual([event.json, event.rawData, event.bytes]);
          }
        }
      }),
    );
  });
});
