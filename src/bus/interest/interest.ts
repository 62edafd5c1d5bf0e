import type { Event } from "../event.ts";
import type { TopicShape } from "../patterns/topic-shape.ts";
import type { TopicMatcher } from "../ports.ts";
import { AffixTree } from "./affix-tree.ts";
import { type Candidate, InterestBucket } from "./interest-bucket.ts";
import { Memory } from "./memory.ts";

/** Results cached at a time, about 10 MB: those of 65,536 topics, if few interests match each. */
const MAX_REMEMBERED_ANSWERS = 2 ** 20;

/** Called with every matching event, in id order; must return at once. */
export interface Listener {
  deliver(event: Event): void;
  /** The batch has been delivered to every interest. */
  endBatch?(): void;
}

/** One distinct interest in events, which any number of subscribers may share. */
export interface Interest extends Listener {
  readonly topics: TopicMatcher;
}

/** An interest in the table. Batches are counted from 1. */
interface Entry extends Candidate {
  readonly interest: Interest;
  /** The newest batch that had begun when the interest was added: it was already in the history. */
  readonly cameIn: number;
  /** The last batch that had an event for it. */
  touchedIn: number;
  /** The last search that found it. */
  foundBy: number;
}

type Bucket = InterestBucket<Entry>;

/**
 * Finds the interests in a topic.
 *
 * Interests are in buckets by the prefix and suffix of their topics, and those in one exact topic by that topic. The
 * cost of delivering an event is proportional to the size of the buckets of its topic. Adding or removing an interest
 * touches only its own bucket, however many interests and topics there are.
 */
export class InterestTable {
  readonly #entries = new Map<Interest, Entry>();
  readonly #byTopic = new Map<string, Bucket>();
  /** By the suffix in the tree of the prefix. */
  readonly #byEnds = new AffixTree<AffixTree<Bucket>>("prefixes");
  readonly #memory = new Memory(MAX_REMEMBERED_ANSWERS);
  #batch = 0;
  #search = 0;

  /** Takes effect with the next batch; an interest added while a batch is delivered receives nothing of it. */
  add(interest: Interest): void {
    if (this.#entries.has(interest)) return;
    const { topics } = interest;
    const entry = { interest, topics, isGone: false, cameIn: this.#batch, touchedIn: 0, foundBy: 0 };
    this.#entries.set(interest, entry);
    for (const shape of shapesOf(topics)) this.#bucketFor(shape).add(entry, shape.isExact);
  }

  /** Takes effect at once, even in the middle of a batch. */
  remove(interest: Interest): void {
    const entry = this.#entries.get(interest);
    if (entry === undefined) return;
    this.#entries.delete(interest);
    entry.isGone = true;
    for (const shape of shapesOf(interest.topics)) this.#loseFrom(shape, entry);
  }

  /** Calls each matching interest with each event, then ends the batch for those that received any. */
  deliver(batch: readonly Event[]): void {
    this.#batch++;
    if (this.#entries.size === 0) return;
    const touched: Entry[] = [];
    for (const event of batch) {
      for (const entry of this.#wanting(event.topic)) {
        if (entry.isGone || entry.cameIn === this.#batch) continue;
        if (entry.touchedIn !== this.#batch) touched.push(entry);
        entry.touchedIn = this.#batch;
        entry.interest.deliver(event);
      }
    }
    for (const { interest } of touched) interest.endBatch?.();
  }

  /** Each entry that matches, once, even if it is in several buckets. */
  #wanting(topic: string): readonly Entry[] {
    const found: Entry[] = [];
    this.#byTopic.get(topic)?.addMatching(topic, found);
    const bySuffix: AffixTree<Bucket>[] = [];
    this.#byEnds.addAllOf(topic, bySuffix);
    const buckets: Bucket[] = [];
    for (const tree of bySuffix) tree.addAllOf(topic, buckets);
    for (const bucket of buckets) bucket.addMatching(topic, found);
    if (found.length < 2) return found;
    const search = ++this.#search;
    return found.filter((entry) => {
      const isFirst = entry.foundBy !== search;
      entry.foundBy = search;
      return isFirst;
    });
  }

  #bucketFor({ prefix, suffix, isWhole }: TopicShape): Bucket {
    if (isWhole) {
      const bucket = this.#byTopic.get(prefix) ?? new InterestBucket<Entry>(this.#memory);
      this.#byTopic.set(prefix, bucket);
      return bucket;
    }
    const known = this.#byEnds.get(prefix);
    const bySuffix = known ?? new AffixTree<Bucket>("suffixes");
    if (known === undefined) this.#byEnds.set(prefix, bySuffix);
    const bucket = bySuffix.get(suffix) ?? new InterestBucket<Entry>(this.#memory);
    bySuffix.set(suffix, bucket);
    return bucket;
  }

  /** Removes an entry; removes its bucket if that is then empty. */
  #loseFrom({ prefix, suffix, isWhole, isExact }: TopicShape, entry: Entry): void {
    const bySuffix = isWhole ? undefined : this.#byEnds.get(prefix);
    const bucket = isWhole ? this.#byTopic.get(prefix) : bySuffix?.get(suffix);
    bucket?.lose(entry, isExact);
    if (!bucket?.isEmpty) return;
    if (isWhole) this.#byTopic.delete(prefix);
    bySuffix?.delete(suffix);
    if (bySuffix?.isEmpty) this.#byEnds.delete(prefix);
  }
}

function shapesOf({ shapes, ranges }: TopicMatcher): readonly TopicShape[] {
  return shapes ?? ranges.map((range) => ({ ...range, suffix: "", isExact: false }));
}
