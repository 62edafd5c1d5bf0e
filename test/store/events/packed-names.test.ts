import { expect, test } from "bun:test";
import { parseTopic } from "../../../src/bus/topic.ts";
import { PackedNames } from "../../../src/store/events/packed-names.ts";

const name = (id: number, topic: string, source: string) => ({ id, topic: parseTopic(topic), source });
const NAMES = [
  name(2, "a", ""),
  name(3, "größe.中文", "🚀"),
  name(10, "site1.sensor2", "s1"),
  name(2 ** 40, "b.c", ""),
];

test("names are found by their ids, whatever characters they have", () => {
  const names = new PackedNames();
  for (const one of NAMES) names.add(one);
  for (const one of NAMES) expect(names.get(one.id)).toEqual(one);
  for (const id of [0, 1, 4, 11, 2 ** 40 + 1]) expect(names.get(id)).toBeUndefined();
});

test("a removed name is not found, and those beside it still are", () => {
  const names = new PackedNames();
  for (const one of NAMES) names.add(one);
  names.remove(3);
  names.remove(4);
  expect(NAMES.map(({ id }) => names.get(id))).toEqual(NAMES.map((one) => (one.id === 3 ? undefined : one)));
});

test("a name for which there is no room is not kept", () => {
  const byNumber = new PackedNames(2);
  const byBytes = new PackedNames(10, 3 * 3 + 2);
  for (const names of [byNumber, byBytes]) {
    for (const id of [1, 2, 3]) names.add(name(id, "x.y", ""));
  }
  expect([1, 2, 3].map((id) => byNumber.get(id)?.id)).toEqual([1, 2, undefined]);
  expect([1, 2, 3].map((id) => byBytes.get(id)?.id)).toEqual([1, undefined, undefined]);
});

test("thousands of names are kept, as the room for them grows", () => {
  const names = new PackedNames();
  const many = Array.from({ length: 5000 }, (_, index) =>
    name(3 * index + 1, `site${index}.sensor`, `source${index % 7}`),
  );
  for (const one of many) names.add(one);
  expect(many.map(({ id }) => names.get(id))).toEqual(many);
});
