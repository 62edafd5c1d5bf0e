/**
 * The rule that links the events of a series: skew-binary random-access lists (Myers 1983, "An applicative
 * random-access stack").
 *
 * The events of a series have depths: 0, 1, 2 …, the oldest first. They form complete binary trees of the sizes 1, 3,
 * 7, 15 …, one after the other, and each event is the root of the tree that ends with it. If the two trees before an
 * event have the same size, the event joins them to one tree; otherwise it is a tree of size 1. Its `skip` names the
 * last event before its tree.
 *
 * So the number of steps to any older event grows with the logarithm of the distance, and the span of a skip follows
 * from the depth alone.
 */

/** Below this depth, which is that of a complete tree, spans come from a table, so an append costs almost nothing. */
const TABLE_SIZE = 4095;
/** The largest tree whose size fits 32-bit arithmetic. */
const MAX_SMALL_TREE = 2 ** 30 - 1;

/** How many events the skip at this depth goes back: the size of the tree that ends with the event. */
export function spanOf(depth: number): number {
  let rest = depth;
  while (rest >= TABLE_SIZE) {
    const size = largestTreeWithin(rest + 1);
    if (size === rest + 1) return size;
    rest -= size;
  }
  return spans[rest] ?? 1;
}

/** The depth of the event that the skip at this depth names; -1 if there is none. */
export function skipDepthOf(depth: number): number {
  return depth - spanOf(depth);
}

/** The largest of 1, 3, 7, 15 … that is at most `count`; `count` is at least 1. */
function largestTreeWithin(count: number): number {
  if (count <= MAX_SMALL_TREE) return (1 << (31 - Math.clz32(count + 1))) - 1;
  let size = MAX_SMALL_TREE;
  while (size * 2 + 1 <= count) size = size * 2 + 1;
  return size;
}

/** Two adjacent trees of the same size and the event after them are one tree. */
const spans = new Uint16Array(TABLE_SIZE);
for (let depth = 0; depth < TABLE_SIZE; depth++) {
  const last = spans[depth - 1] ?? 0;
  const isPair = last > 0 && spans[depth - 1 - last] === last;
  spans[depth] = isPair ? 2 * last + 1 : 1;
}
