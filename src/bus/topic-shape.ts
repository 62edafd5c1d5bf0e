import type { TopicRange } from "./topic-range.ts";

/** A range of topics, all of which end in `suffix` too. The two texts may overlap in a topic. */
export interface TopicShape extends TopicRange {
  /** Empty where any end will do, and where the range is one whole topic. */
  readonly suffix: string;
}

/** Pairs compared to intersect two lists; with more, the shorter list is returned, which is a superset. */
const MAX_COMPARED_PAIRS = 4096;

/** Whether the topic begins and ends as the shape says. */
export function isLike({ prefix, suffix, isWhole }: TopicShape, topic: string): boolean {
  return isWhole ? topic === prefix : topic.startsWith(prefix) && topic.endsWith(suffix);
}

/** The same topics in fewer shapes: most of those that another one covers are left out. */
export function unionOfShapes(shapes: readonly TopicShape[]): readonly TopicShape[] {
  if (shapes.length < 2) return shapes;
  const union: TopicShape[] = [];
  for (const shape of [...shapes].sort(byPrefix)) {
    const last = union.at(-1);
    if (last === undefined || !covers(last, shape)) union.push(shape);
  }
  return union;
}

/** A superset of the topics that are of both lists of shapes. */
export function intersectionOfShapes(a: readonly TopicShape[], b: readonly TopicShape[]): readonly TopicShape[] {
  if (a.length * b.length > MAX_COMPARED_PAIRS) return a.length < b.length ? a : b;
  return unionOfShapes(a.flatMap((one) => b.flatMap((other) => intersectTwo(one, other))));
}

function intersectTwo(a: TopicShape, b: TopicShape): readonly TopicShape[] {
  if (a.isWhole) return isLike(b, a.prefix) ? [a] : [];
  if (b.isWhole) return isLike(a, b.prefix) ? [b] : [];
  const prefix = longer(a.prefix, b.prefix, (long, short) => long.startsWith(short));
  const suffix = longer(a.suffix, b.suffix, (long, short) => long.endsWith(short));
  return prefix === undefined || suffix === undefined ? [] : [{ prefix, suffix, isWhole: false }];
}

/** The longer text, if it holds the shorter one as it must. */
function longer(a: string, b: string, holds: (long: string, short: string) => boolean): string | undefined {
  const [long, short] = a.length < b.length ? [b, a] : [a, b];
  return holds(long, short) ? long : undefined;
}

/** Whether every topic that begins and ends as `inner` says does so as `outer` says. */
function covers(outer: TopicShape, inner: TopicShape): boolean {
  if (inner.isWhole) return isLike(outer, inner.prefix);
  return !outer.isWhole && inner.prefix.startsWith(outer.prefix) && inner.suffix.endsWith(outer.suffix);
}

/** A shape comes before most of those that it covers. */
function byPrefix(a: TopicShape, b: TopicShape): number {
  if (a.prefix !== b.prefix) return a.prefix < b.prefix ? -1 : 1;
  if (a.isWhole !== b.isWhole) return a.isWhole ? 1 : -1;
  return a.suffix.length - b.suffix.length || (a.suffix < b.suffix ? -1 : 1);
}
