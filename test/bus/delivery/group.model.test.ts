import { expect, test } from "bun:test";
import fc from "fast-check";
import type { Start } from "../../../src/bus/start.ts";
import { Delivery, type FakeMember } from "../../helpers/delivery.ts";

const TOPICS = ["a", "b", "c"] as const;
/** Written out, so that the model trusts no matcher. */
const WANTED: Readonly<Record<string, readonly string[]>> = { "*": TOPICS, "[ab]": ["a", "b"], c: ["c"] };

type Step =
  | { readonly do: "publish"; readonly topics: readonly (typeof TOPICS)[number][] }
  | { readonly do: "join"; readonly pattern: string; readonly start: Start; readonly room: number }
  | { readonly do: "near" | "far" | "prune" }
  | { readonly do: "take" | "leave"; readonly who: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("publish" as const),
      topics: fc.array(fc.constantFrom(...TOPICS), { minLength: 1, maxLength: 8 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("join" as const),
      pattern: fc.constantFrom(...Object.keys(WANTED)),
      start: fc.oneof<fc.Arbitrary<Start>[]>(
        fc.constantFrom({ kind: "live" }, { kind: "now" }, { kind: "all" }),
        fc.nat(40).map((id) => ({ kind: "after", id })),
        fc.integer({ min: 1, max: 9 }).map((count) => ({ kind: "last", count })),
      ),
      room: fc.constantFrom(0, 1, 5, 1000),
    }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constantFrom("near" as const, "far" as const) }) },
  { weight: 1, arbitrary: fc.constant({ do: "prune" as const }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom("take" as const, "take" as const, "take" as const, "leave" as const),
      who: fc.nat(20),
    }),
  },
);

/** One subscriber, and where it must start. */
interface Expected {
  readonly member: FakeMember;
  readonly topics: readonly string[];
  readonly position: number;
  /** A gap at the very start may begin here: while it was searched for, retention may have removed the place to start. */
  readonly gapFrom: number;
  readonly isReplay: boolean;
  isGone: boolean;
}

test("whatever happens, each member gets every matching event once, in order, except for reported gaps", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 60 }),
      fc.constantFrom(1, 2, 5, 100),
      fc.constantFrom(3, 10, 1000),
      async (steps, pageEvents, maxHistory) => {
        const delivery = new Delivery({ maxHistory, tuning: { pageEvents, checkCharacters: 1 } });
        const published: string[] = [];
        const everybody: Expected[] = [];
        for (const one of steps) await play(one, delivery, published, everybody);
        for (const { member } of everybody) member.room = 1000;
        for (const { follower } of delivery.followers) follower.wake();
        delivery.run();
        for (const expected of everybody) expect(breachOf(expected, published)).toBeUndefined();
      },
    ),
    { numRuns: 500 },
  );
});

async function play(step: Step, delivery: Delivery, published: string[], everybody: Expected[]): Promise<void> {
  switch (step.do) {
    case "publish":
      published.push(...step.topics);
      await Promise.all(step.topics.map((topic) => delivery.bus.publish(topic, null)));
      return;
    case "join": {
      const topics = WANTED[step.pattern] ?? [];
      const position = positionOf(step.start, delivery, topics, published);
      const { member } = delivery.follow(step.start, { patterns: [step.pattern], room: step.room });
      const gapFrom = step.start.kind === "last" ? delivery.log.floor - 1 : position;
      everybody.push({ member, topics, position, gapFrom, isReplay: step.start.kind !== "live", isGone: false });
      return;
    }
    case "prune":
      await delivery.bus.prune();
      return;
    case "take":
    case "leave": {
      const [one, expected] = [delivery.followers[step.who], everybody[step.who]];
      if (one === undefined || expected === undefined) return;
      one.member.takeAll();
      one.follower.wake();
      if (step.do === "leave") one.follower.close();
      expected.isGone ||= step.do === "leave";
      return;
    }
    default:
      delivery.replays.step(step.do);
  }
}

function positionOf(start: Start, { log }: Delivery, topics: readonly string[], published: readonly string[]): number {
  if (start.kind === "after") return Math.min(start.id, log.head);
  if (start.kind === "all") return log.floor - 1;
  if (start.kind !== "last") return log.head;
  const ids = published.map((topic, index) => (topics.includes(topic) && index + 1 >= log.floor ? index + 1 : 0));
  const wanted = ids.filter((id) => id > 0);
  return (wanted.length < start.count ? log.floor : (wanted.at(-start.count) ?? 0)) - 1;
}

/** The first fault in what a member was sent. */
function breachOf(
  { member, topics, position, gapFrom, isReplay, isGone }: Expected,
  published: readonly string[],
): string | undefined {
  const isWanted = (id: number) => topics.includes(published[id - 1] ?? "");
  let passed = position;
  let isCaughtUp = false;
  for (const item of member.sent) {
    const to = typeof item === "number" ? item - 1 : item.type === "gap" ? item.after : item.id;
    if (typeof item === "number" && !isWanted(item)) return `event ${item} is not wanted`;
    if (item === member.sent[0] && typeof item !== "number" && item.type === "gap" && to >= gapFrom) passed = to;
    if (to < passed) return `${JSON.stringify(item)} after ${passed} of ${JSON.stringify(member.sent)}`;
    for (let id = passed + 1; id <= to; id++)
      if (isWanted(id)) return `event ${id} was skipped: ${JSON.stringify(member.sent)}`;
    passed = typeof item === "number" ? item : item.type === "gap" ? item.next - 1 : item.id;
    if (typeof item === "number" || item.type !== "caught_up") continue;
    if (isCaughtUp || !isReplay) return "caught_up was not to come";
    isCaughtUp = true;
  }
  if (isGone) return undefined;
  if (isReplay && !isCaughtUp) return "caught_up is missing";
  for (let id = passed + 1; id <= published.length; id++) if (isWanted(id)) return `event ${id} never came`;
  return undefined;
}
