import { describe, expect, spyOn, test } from "bun:test";
import fc from "fast-check";
import { scopeOf, within } from "../../src/bus/access/scope.ts";
import { Event, SeriesName } from "../../src/bus/event.ts";
import { AffixTree } from "../../src/bus/interest/affix-tree.ts";
import { type Interest, InterestTable } from "../../src/bus/interest/interest.ts";
import { parseRawJson } from "../../src/bus/json.ts";
import { parsePattern } from "../../src/bus/patterns/pattern.ts";
import { PatternSet } from "../../src/bus/patterns/pattern-set.ts";
import { parseTopic } from "../../src/bus/topic.ts";
import { forgetBuckets } from "../model/sabotage.ts";

const segment = fc.constantFrom("a", "b", "ab", "user", "1", "17", "é", "😀", "😂");
const topic = fc.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => segments.join("."));
const piece = fc.oneof(
  { arbitrary: fc.constantFrom("*", "*.", ".*", "?"), weight: 4 },
  { arbitrary: fc.constantFrom("a", "b.", ".", "user.", "1", "17", "é", "😀", ".😂", "\\a"), weight: 6 },
  { arbitrary: fc.constantFrom("[ab]", "[^a]", "[b]", "{a,b.x1}", "{*,a}", "{user,}.", "{,b*,a{1,7}}"), weight: 2 },
);
const pattern = fc.oneof(
  topic,
  fc.array(piece, { minLength: 1, maxLength: 5 }).map((pieces) => pieces.join("")),
);
const patterns = fc.array(pattern.filter(isAllowed), { minLength: 1, maxLength: 3 });
const step = fc.oneof(
  fc.record({ do: fc.constant("add" as const), patterns, scope: fc.option(patterns) }),
  fc.record({ do: fc.constant("remove" as const), which: fc.nat({ max: 30 }) }),
  fc.record({ do: fc.constant("deliver" as const), topics: fc.array(topic, { minLength: 1, maxLength: 5 }) }),
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Braces that are combined at random may expand to more than is allowed. */
function isAllowed(text: string): boolean {
  try {
    return parsePattern(text).text === text;
  } catch {
    return false;
  }
}

/** An interest as the plain table keeps it: what it should have been handed by now, and what it was handed. */
interface Known {
  readonly interest: Interest;
  readonly wants: (topic: string) => boolean;
  readonly expected: (number | "end")[];
  readonly handed: (number | "end")[];
}

/** A table beside the plainest possible one: a list in which every interest is asked about every event. */
class Pair {
  readonly #table = new InterestTable();
  readonly #all: Known[] = [];
  readonly #present: Known[] = [];
  #id = 0;

  take(step: Step): void {
    if (step.do === "add") this.#add(step.patterns, step.scope);
    else if (step.do === "remove") this.#remove(step.which);
    else this.#deliver(step.topics);
  }

  /** All that every interest was handed, and all that it should have been. */
  get outcome() {
    return {
      handed: this.#all.map(({ handed }) => handed),
      expected: this.#all.map(({ expected }) => expected),
    };
  }

  #add(asked: readonly string[], scope: readonly string[] | null): void {
    const set = PatternSet.parse(asked);
    const topics = scope === null ? set : within(scopeOf(scope), set);
    const allowed = PatternSet.parse(scope ?? ["*"]);
    const handed: Known["handed"] = [];
    const interest: Interest = {
      topics,
      deliver: ({ id }) => void handed.push(id),
      endBatch: () => void handed.push("end"),
    };
    const known = { interest, wants: (one: string) => set.matches(one) && allowed.matches(one), expected: [], handed };
    this.#table.add(interest);
    this.#present.push(known);
    this.#all.push(known);
  }

  #remove(which: number): void {
    const [known] = this.#present.splice(which, 1);
    if (known) this.#table.remove(known.interest);
  }

  #deliver(topics: readonly string[]): void {
    const batch = topics.map((one) => {
      const name = new SeriesName(parseTopic(one), "");
      return new Event(++this.#id, name, "1970-01-01T00:00:00.000Z", parseRawJson("null"));
    });
    this.#table.deliver(batch);
    for (const { wants, expected } of this.#present) {
      const ids = batch.filter((event) => wants(event.topic)).map(({ id }) => id);
      expected.push(...ids, ...(ids.length > 0 ? (["end"] as const) : []));
    }
  }
}

function runSteps(steps: readonly Step[]): void {
  const pair = new Pair();
  for (const one of steps) pair.take(one);
  const { handed, expected } = pair.outcome;
  expect(handed).toEqual(expected);
}

const property = fc.property(fc.array(step, { minLength: 5, maxLength: 60 }), runSteps);

describe("an interest table, beside a list that asks every interest about every event", () => {
  test("hands the same events to the same interests, in the same order", () => {
    fc.assert(property, { numRuns: 1000 });
  });

  test("is seen to fail when a bucket is forgotten", () => {
    const forgetful = forgetBuckets();
    try {
      expect(fc.check(property, { numRuns: 500, endOnFailure: true }).failed).toBe(true);
    } finally {
      forgetful.mockRestore();
    }
  });

  test("is seen to fail when a new bucket takes the place of one that is there", () => {
    const blind = spyOn(AffixTree.prototype, "get").mockReturnValue(undefined);
    try {
      expect(fc.check(property, { numRuns: 500, endOnFailure: true }).failed).toBe(true);
    } finally {
      blind.mockRestore();
    }
  });
});
