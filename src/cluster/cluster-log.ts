import type { TokenRecord, TokenStore } from "../bus/access/token-record.ts";
import { BusError } from "../bus/errors.ts";
import type { Event } from "../bus/event.ts";
import type {
  Adopted,
  Appended,
  AppendOptions,
  Change,
  Draft,
  Entry,
  EventLog,
  Filter,
  Health,
  MirrorLog,
  Page,
  Place,
  Retention,
  StorageSize,
  TopicMatcher,
  TopicPage,
  TopicQuery,
} from "../bus/ports.ts";
import { decodeEntry, EntryError } from "./codec.ts";
import { EntryQueue } from "./entry-queue.ts";
import { NotSent } from "./sending.ts";
import type { EntryStream, Message, Sink, StreamState } from "./stream.ts";

/** Events that one transaction adopts, unless a single entry has more: a commit blocks the loop. */
const MAX_ADOPTED_EVENTS = 4096;

/** The stream no longer has what this history needs next: only the copy of another node can bring it up to date. */
export class NeedsCopy extends BusError {
  constructor(why: string) {
    super("unavailable", `${why}: this node starts again from the copy of another one`);
  }
}

export interface ClusterLogOptions {
  readonly mirror: MirrorLog;
  readonly stream: EntryStream;
  /** The tokens of the mirror. */
  readonly tokens: TokenStore;
  /** Names this run of this node; MUST be used by no other run. */
  readonly node: string;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  /** How long a change may take, in milliseconds. Only tests change it. */
  readonly budgetMs?: number | undefined;
  /** Called when an entry of this node is in the stream, with the time since it was sent, in milliseconds. */
  readonly onStored?: ((ms: number) => void) | undefined;
  /** Called after entries were adopted, before the calls that made their changes resolve. */
  readonly onAdopted?: (() => void) | undefined;
  /** Whether the bus may be open to all while no token was ever created. Default true. */
  readonly mayBeOpen?: boolean | undefined;
}

/**
 * A history that several nodes share. Every change goes through one stream, and each node adopts the stream's entries
 * in order, so all have the same events with the same ids.
 *
 * An append resolves when its own entry was adopted here. Reads are those of the mirror.
 */
export class ClusterLog implements EventLog, Sink {
  /** The tokens of all nodes. */
  readonly tokens: TokenStore;
  readonly #mirror: MirrorLog;
  readonly #ownTokens: TokenStore;
  readonly #stream: EntryStream;
  readonly #queue: EntryQueue;
  readonly #onAdopted: () => void;
  #leaving: Promise<void> | undefined;

  constructor(options: ClusterLogOptions) {
    const { mirror, stream, tokens, node, clock, budgetMs, onStored, mayBeOpen = true } = options;
    this.#onAdopted = options.onAdopted ?? (() => {});
    this.#mirror = mirror;
    this.#ownTokens = tokens;
    this.#stream = stream;
    this.#queue = new EntryQueue({
      node,
      clock,
      publish: (id, bytes, deadlineMs) => stream.publish(id, bytes, deadlineMs),
      maxPayload: () => stream.maxPayload,
      budgetMs,
      onStored,
    });
    // Until all entries were adopted, any of them may bring the first token.
    const isComplete = () => stream.hasCaughtUp;
    this.tokens = new ClusterTokens(tokens, { mayBeOpen, isComplete }, (change) => this.change(change));
    void mirror.ready().then(() => {
      if (!this.#leaving) stream.follow(this);
    });
  }

  async append(drafts: readonly Draft[], options: AppendOptions = {}): Promise<Appended> {
    const { idempotencyKey, isAbandoned } = options;
    const outcome = await this.change({ kind: "append", drafts, idempotencyKey }, isAbandoned);
    if ("appended" in outcome) return outcome.appended;
    throw "error" in outcome ? outcome.error : unexpected();
  }

  /** Removes on all nodes what the rules do not keep on this one. */
  async prune(rules: Retention, nowMs: number): Promise<number> {
    let pruned = 0;
    for (;;) {
      const upTo = this.#mirror.lastExcess(rules, nowMs);
      if (upTo < this.#mirror.floor) break;
      const outcome = await this.change({ kind: "prune", upTo });
      if (!("pruned" in outcome)) throw unexpected();
      pruned += await outcome.pruned;
      if (this.#leaving) break;
    }
    await this.#expireKeys();
    return pruned;
  }

  // The stream's entries.

  get place(): Place | undefined {
    return this.#mirror.place;
  }

  requireContinued({ createdS, createdNs, first, last }: StreamState): void {
    const { place, head } = this.#mirror;
    if (place === undefined) {
      if (head > 0 || this.#ownTokens.isUsed) {
        throw new BusError(
          "unavailable",
          "the file has events or tokens that the cluster does not know: begin a new cluster with it (eventbus cluster " +
            "import), or start this node without a file",
        );
      }
      if (first > 1) throw new NeedsCopy("the stream no longer has its first entries");
      return;
    }
    if (place.createdS !== createdS || place.createdNs !== createdNs) {
      throw new BusError("unavailable", "the file belongs to another stream, or the stream was created again");
    }
    if (last < place.sequence) {
      throw new BusError(
        "unavailable",
        `the stream ends at entry ${last}, but this node has adopted entry ${place.sequence}`,
      );
    }
    if (first > place.sequence + 1) {
      throw new NeedsCopy(`the stream begins at entry ${first}, but this node needs entry ${place.sequence + 1}`);
    }
  }

  take(messages: readonly Message[], { createdS, createdNs }: StreamState): number {
    const entries = this.#decode(messages);
    const sequence = messages[entries.length - 1]?.sequence ?? 0;
    const outcomes = this.#mirror.adopt(entries, { sequence, createdS, createdNs });
    this.#onAdopted();
    for (const [index, entry] of entries.entries()) this.#queue.adopted(entry, outcomes[index]);
    return entries.length;
  }

  /** The entries that share a transaction: at least the first one. Throws if that one cannot be read or adopted. */
  #decode(messages: readonly Message[]): Entry[] {
    const entries: Entry[] = [];
    let events = 0;
    for (const { sequence, bytes } of messages) {
      try {
        const entry = decoded(bytes, sequence);
        this.#requireOrigin(entry);
        events += eventsOf(entry);
        if (entries.length > 0 && events > MAX_ADOPTED_EVENTS) return entries;
        entries.push(entry);
      } catch (error) {
        // Those before it are adopted first.
        if (entries.length === 0) throw error;
        return entries;
      }
    }
    return entries;
  }

  /** The cluster may have begun with the history of a single node, which its first entry names. */
  #requireOrigin({ changes }: Entry): void {
    const isMissing = changes.some((change) => change.kind === "origin" && change.head !== this.#mirror.head);
    if (isMissing) throw new NeedsCopy("the cluster began with a history that this node does not have");
  }

  health(): Health {
    if (this.#leaving) return { state: "closed", detail: "the log is closed" };
    const own = this.#mirror.health();
    if (own.state !== "ok") return own;
    const following = this.#stream.following;
    if (following.state === "failed") return { state: "failed", detail: following.error.message };
    if (following.state === "disconnected") return { state: "disconnected", detail: "NATS cannot be reached" };
    if (this.#stream.isUpToDate) return own;
    return { state: "behind", detail: `${this.#stream.behind} entries of the stream are not adopted yet` };
  }

  async close(): Promise<void> {
    await this.leave();
    await this.#mirror.close();
  }

  /** Waits for what was accepted, and takes no more entries; leaves the mirror open. May be called twice. */
  leave(): Promise<void> {
    this.#leaving ??= this.#queue.drain().then(() => this.#stream.stop());
    return this.#leaving;
  }

  /** Sends a change to all nodes; resolves with its outcome once it is adopted here. */
  change(change: Change, isAbandoned?: () => boolean): Promise<Adopted> {
    if (this.#leaving) return Promise.reject(new BusError("shutting_down", "the history is closed"));
    const { following } = this.#stream;
    if (following.state === "failed") return Promise.reject(new NotSent("unavailable", following.error.message, true));
    return this.#queue.add(change, isAbandoned);
  }

  /** Expires keys by the time of the entries, as every node must forget a key at the same entry. */
  async #expireKeys(): Promise<void> {
    const newest = this.#mirror.get(this.#mirror.head);
    if (newest && !this.#leaving) await this.#mirror.prune({}, Date.parse(newest.created_at));
  }

  // What the mirror does.

  onCommit(listener: (batch: readonly Event[]) => void): void {
    this.#mirror.onCommit(listener);
  }

  read(filter: Filter, after: number, limit: number): Page {
    return this.#mirror.read(filter, after, limit);
  }

  readBack(filter: Filter, before: number, limit: number): Page {
    return this.#mirror.readBack(filter, before, limit);
  }

  get(id: number, topics?: TopicMatcher): Event | undefined {
    return this.#mirror.get(id, topics);
  }

  idBefore(timeMs: number): number {
    return this.#mirror.idBefore(timeMs);
  }

  topics(query: TopicQuery): TopicPage {
    return this.#mirror.topics(query);
  }

  get head(): number {
    return this.#mirror.head;
  }

  get floor(): number {
    return this.#mirror.floor;
  }

  get isShared(): boolean {
    return true;
  }

  get maxAppendBytes(): number {
    return this.#queue.maxEntryBytes;
  }

  get recentFrom(): number {
    return this.#mirror.recentFrom;
  }

  size(): StorageSize {
    return this.#mirror.size();
  }

  /** Changes that wait to be sent, or to be adopted. */
  get queueDepth(): number {
    return this.#queue.depth;
  }
}

/** What decides whether a node without a token is open to all. */
interface TokenRule {
  readonly mayBeOpen: boolean;
  /** Whether every entry that the stream had at the start was adopted. */
  readonly isComplete: () => boolean;
}

/** Tokens that are stored on every node, by entries of the stream. */
class ClusterTokens implements TokenStore {
  readonly #mirror: TokenStore;
  readonly #rule: TokenRule;
  readonly #change: (change: Change) => Promise<Adopted>;

  constructor(mirror: TokenStore, rule: TokenRule, change: (change: Change) => Promise<Adopted>) {
    this.#mirror = mirror;
    this.#rule = rule;
    this.#change = change;
  }

  all(): readonly TokenRecord[] {
    return this.#mirror.all();
  }

  get isUsed(): boolean {
    return this.#mirror.isUsed || !this.#rule.mayBeOpen || !this.isComplete;
  }

  get isComplete(): boolean {
    return this.#rule.isComplete();
  }

  onChange(listener: Parameters<TokenStore["onChange"]>[0]): void {
    this.#mirror.onChange(listener);
  }

  add(record: TokenRecord): Promise<boolean> {
    return this.#apply({ kind: "addToken", record });
  }

  remove(name: string, keepsAdmin: boolean): Promise<boolean> {
    return this.#apply({ kind: "removeToken", name, keepsAdmin });
  }

  async #apply(change: Change): Promise<boolean> {
    const outcome = await this.#change(change);
    if ("isChanged" in outcome) return outcome.isChanged;
    throw "error" in outcome ? outcome.error : unexpected();
  }
}

function decoded(bytes: Uint8Array, sequence: number): Entry {
  try {
    return decodeEntry(bytes);
  } catch (error) {
    if (!(error instanceof EntryError)) throw error;
    throw new BusError("unavailable", `entry ${sequence} of the stream cannot be read: ${error.message}`);
  }
}

function eventsOf({ changes }: Entry): number {
  let events = 0;
  for (const change of changes) if (change.kind === "append") events += change.drafts.length;
  return events;
}

function unexpected(): BusError {
  return new BusError("internal", "a change of the cluster had an outcome of another kind");
}
