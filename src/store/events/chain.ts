/**
 * The rule by which the events of a series are linked: skew-binary random-access lists (Myers 1983, "An applicative
 * random-access stack").
 *
 * The events of a series, oldest first, are numbered by their depth from 0 on, and stand in complete binary trees whose
 * sizes are 1, 3, 7, 15 …; an event is the root of the tree that ends with it. Its `skip` names the last event before that
 * tree. So from any event, any older one is reached in a number of steps that grows with the logarithm of the distance.
 */

/** Spans are looked up below this depth, which is that of a whole tree, so that an append costs next to nothing. */
const TABLE_SIZE = 4095;
/** The largest tree whose size 32-bit arithmetic can tell. */
const MAX_SMALL_TREE = 2 ** 30 - 1;

/** How many events the skip of the event at this depth goes back: the size of the tree that ends with it. */
export function spanOf(depth: number): number {
  let rest = depth;
  while (rest >= TABLE_SIZE) {
    const size = largestTreeWithin(rest + 1);
    if (size === rest + 1) return size;
    rest -= size;
  }
  return spans[rest] ?? 1;
}

/** The depth of the event that the skip of the one at this depth names; -1 when there is none. */
export function skipDepthOf(depth: number): number {
  return depth - spanOf(depth);
}

/** The largest of 1, 3, 7, 15 … that is not greater than `count`, which is 1 or more. */
function largestTreeWithin(count: number): number {
  if (count <= MAX_SMALL_TREE) return (1 << (31 - Math.clz32(count + 1))) - 1;
  let size = MAX_SMALL_TREE;
  while (size * 2 + 1 <= count) size = size * 2 + 1;
  return size;
}

/** Two trees of one size, one after the other, and the event after them make one tree. */
const spans = new Uint16Array(TABLE_SIZE);
for (let depth = 0; depth < TABLE_SIZE; depth++) {
  const last = spans[depth - 1] ?? 0;
  const isPair = last > 0 && spans[depth - 1 - last] === last;
  spans[depth] = isPair ? 2 * last + 1 : 1;
}
