import type { TopicRange } from "./topic-range.ts";

/** A range of topics that also end in `suffix`. The two texts may overlap in a topic. */
export interface TopicShape extends TopicRange {
  /** Empty if any end is allowed, or if the range is one whole topic. */
  readonly suffix: string;
  /** Every topic of this shape matches, so nothing else needs to be evaluated. */
  readonly isExact: boolean;
}

/** Pairs compared to intersect two lists; with more, the shorter list is returned, which is a superset. */
const MAX_COMPARED_PAIRS = 4096;

/** Whether the topic begins and ends as the shape requires. */
export function isLike({ prefix, suffix, isWhole }: TopicShape, topic: string): boolean {
  return isWhole ? topic === prefix : topic.startsWith(prefix) && topic.endsWith(suffix);
}

/** The same topics in fewer shapes: most of those that another one covers are omitted. */
export function unionOfShapes(shapes: readonly TopicShape[]): readonly TopicShape[] {
  if (shapes.length < 2) return shapes;
  const union: TopicShape[] = [];
  for (const shape of [...shapes].sort(byPrefix)) {
    const last = union.at(-1);
    if (last === undefined || !covers(last, shape)) union.push(shape);
  }
  return union;
}

/** Whether only one end is required, or the whole topic: such a shape can be exact, as the two ends cannot overlap. */
export function hasOneEnd({ prefix, suffix, isWhole }: Omit<TopicShape, "isExact">): boolean {
  return isWhole || prefix === "" || suffix === "";
}

/** A superset of the topics that have a shape of both lists. */
export function intersectionOfShapes(a: readonly TopicShape[], b: readonly TopicShape[]): readonly TopicShape[] {
  if (a.length * b.length > MAX_COMPARED_PAIRS) {
    return (a.length < b.length ? a : b).map((shape) => ({ ...shape, isExact: false }));
  }
  return unionOfShapes(a.flatMap((one) => b.flatMap((other) => intersectTwo(one, other))));
}

function intersectTwo(a: TopicShape, b: TopicShape): readonly TopicShape[] {
  const areExact = a.isExact && b.isExact;
  if (a.isWhole) return isLike(b, a.prefix) ? [{ ...a, isExact: areExact }] : [];
  if (b.isWhole) return isLike(a, b.prefix) ? [{ ...b, isExact: areExact }] : [];
  const prefix = longer(a.prefix, b.prefix, (long, short) => long.startsWith(short));
  const suffix = longer(a.suffix, b.suffix, (long, short) => long.endsWith(short));
  if (prefix === undefined || suffix === undefined) return [];
  const both = { prefix, suffix, isWhole: false };
  return [{ ...both, isExact: areExact && hasOneEnd(both) }];
}

/** The longer text, if it contains the shorter one as it must. */
function longer(a: string, b: string, holds: (long: string, short: string) => boolean): string | undefined {
  const [long, short] = a.length < b.length ? [b, a] : [a, b];
  return holds(long, short) ? long : undefined;
}

/** Whether every topic of the shape `inner` also has the shape `outer`. */
function covers(outer: TopicShape, inner: TopicShape): boolean {
  if (inner.isWhole) return isLike(outer, inner.prefix);
  return !outer.isWhole && inner.prefix.startsWith(outer.prefix) && inner.suffix.endsWith(outer.suffix);
}

/** A shape comes before most of those that it covers. */
function byPrefix(a: TopicShape, b: TopicShape): number {
  if (a.prefix !== b.prefix) return a.prefix < b.prefix ? -1 : 1;
  if (a.isWhole !== b.isWhole) return a.isWhole ? 1 : -1;
  if (a.suffix !== b.suffix) return a.suffix.length - b.suffix.length || (a.suffix < b.suffix ? -1 : 1);
  return Number(b.isExact) - Number(a.isExact);
}
