/** A range of topics in code point order: the topic itself, or every topic that begins with a prefix. */
export interface TopicRange {
  readonly prefix: string;
  /** Only the topic that equals `prefix`, instead of all that begin with it. */
  readonly isWhole: boolean;
}

/** Every possible topic. */
export const EVERY_TOPIC: readonly TopicRange[] = [{ prefix: "", isWhole: false }];

/** The union of some ranges, without those that another one covers. */
export function unionOf(ranges: readonly TopicRange[]): readonly TopicRange[] {
  const sorted = [...ranges].sort(byPrefix);
  const union: TopicRange[] = [];
  for (const range of sorted) {
    const last = union.at(-1);
    if (last === undefined || !covers(last, range)) union.push(range);
  }
  return union;
}

/** Whether the topic is in the range. */
export function isWithin(range: TopicRange, topic: string): boolean {
  return range.isWhole ? topic === range.prefix : topic.startsWith(range.prefix);
}

/** Whether every topic of `inner` is in `outer`. */
function covers(outer: TopicRange, inner: TopicRange): boolean {
  return outer.isWhole ? inner.isWhole && inner.prefix === outer.prefix : inner.prefix.startsWith(outer.prefix);
}

/** A range comes before those that it covers. The order by UTF-16 code units is enough for that. */
function byPrefix(a: TopicRange, b: TopicRange): number {
  if (a.prefix === b.prefix) return Number(a.isWhole) - Number(b.isWhole);
  return a.prefix < b.prefix ? -1 : 1;
}
