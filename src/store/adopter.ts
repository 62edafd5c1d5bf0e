import type { Database } from "bun:sqlite";
import { lastAdmin } from "../bus/access/tokens.ts";
import type { Adopted, Change, Entry, Place } from "../bus/ports.ts";
import type { Committer, OpenBatch } from "./committer.ts";
import type { ConsumerTable } from "./consumers/consumer-table.ts";
import type { DirectWrites } from "./direct-writes.ts";
import type { HistoryBounds } from "./events/bounds.ts";
import type { Damage } from "./file/damage.ts";
import type { Meta, MetaValues } from "./file/meta.ts";
import type { TokenTable } from "./keys/tokens.ts";
import { Writers } from "./keys/writers.ts";
import type { Upkeep } from "./upkeep.ts";

export interface AdopterOptions {
  readonly database: Database;
  readonly damage: Damage;
  readonly committer: Committer;
  readonly tokens: TokenTable;
  readonly consumers: ConsumerTable;
  readonly bounds: HistoryBounds;
  readonly upkeep: Upkeep;
  readonly writes: DirectWrites;
  readonly meta: Meta;
  readonly stored: MetaValues;
}

/** Takes over the entries of a cluster, each transaction with the place that it reaches. */
export class Adopter {
  readonly #committer: Committer;
  readonly #tokens: TokenTable;
  readonly #consumers: ConsumerTable;
  readonly #writers: Writers;
  readonly #bounds: HistoryBounds;
  readonly #upkeep: Upkeep;
  readonly #writes: DirectWrites;
  readonly #meta: Meta;
  #place: Place | undefined;
  /** Events up to here are to be removed; the open transaction may raise it. */
  #pruneTo: number;
  /** What the open transaction has decided to remove. */
  #decided: { readonly upTo: number; readonly pruned: PromiseWithResolvers<number> }[] = [];

  constructor(options: AdopterOptions) {
    const { database, damage, committer, tokens, consumers, bounds, upkeep, writes, meta, stored } = options;
    this.#committer = committer;
    this.#tokens = tokens;
    this.#consumers = consumers;
    this.#writers = new Writers(database, damage, stored.writers);
    this.#bounds = bounds;
    this.#upkeep = upkeep;
    this.#writes = writes;
    this.#meta = meta;
    this.#pruneTo = stored.prune_to;
    this.#place = placeIn(stored);
  }

  get place(): Place | undefined {
    return this.#place;
  }

  /** Leaves the stream for good: what is appended from now on is in no other node's history. */
  leave(): void {
    if (this.#place === undefined) return;
    this.#writes.run(() => this.#writePlace({ sequence: 0, createdS: 0, createdNs: 0 }));
    this.#place = undefined;
  }

  /** Continues the pruning that the last process decided on and did not finish. Failures are reported. */
  resume(): void {
    if (this.#pruneTo >= this.#bounds.floor) this.#removeTo(this.#pruneTo).catch(() => {});
  }

  /** As `MirrorLog.adopt`. */
  adopt(entries: readonly Entry[], place: Place): (readonly Adopted[] | undefined)[] {
    const prunedBefore = this.#pruneTo;
    try {
      return this.#committer.transact(
        (batch) => this.#write(entries, place, batch),
        () => this.#accept(place),
      );
    } catch (error) {
      this.#pruneTo = prunedBefore;
      this.#decided = [];
      this.#tokens.rolledBack();
      this.#writers.rolledBack();
      throw error;
    }
  }

  #write(entries: readonly Entry[], place: Place, batch: OpenBatch): (readonly Adopted[] | undefined)[] {
    const outcomes = entries.map(({ node, number, atMs, changes }) =>
      this.#writers.accept(node, number, atMs)
        ? changes.map((one) => this.#change(one, { node, atMs }, batch))
        : undefined,
    );
    this.#writers.write();
    this.#writePlace(place);
    return outcomes;
  }

  #writePlace({ sequence, createdS, createdNs }: Place): void {
    if (this.#place?.createdS !== createdS) this.#meta.set("stream_created_s", createdS);
    if (this.#place?.createdNs !== createdNs) this.#meta.set("stream_created_ns", createdNs);
    this.#meta.set("stream_place", sequence);
  }

  #change(change: Change, { node, atMs }: Pick<Entry, "node" | "atMs">, batch: OpenBatch): Adopted {
    switch (change.kind) {
      case "append":
        return batch.append(change, atMs);
      case "addToken":
        return { isChanged: this.#tokens.insert(change.record) };
      case "removeToken":
        if (change.keepsAdmin && this.#tokens.isLastAdmin(change.name, atMs)) return { error: lastAdmin() };
        return { isChanged: this.#tokens.delete(change.name) };
      case "origin":
        return { isChanged: false };
      case "claimConsumers":
        return { isChanged: this.#consumers.claim(node, change.revision) };
      case "saveConsumers":
        return { isChanged: this.#consumers.adopt(node, change.changes, change.isLast) };
      case "prune":
        return { pruned: this.#prune(Math.min(change.upTo, batch.head)) };
    }
  }

  /** Records the decision in the open transaction; the events are removed later, in slices. */
  #prune(upTo: number): Promise<number> {
    if (upTo > this.#pruneTo) this.#meta.set("prune_to", upTo);
    this.#pruneTo = Math.max(upTo, this.#pruneTo);
    const pruned = Promise.withResolvers<number>();
    pruned.promise.catch(() => {}); // no one may be waiting for it
    this.#decided.push({ upTo, pruned });
    return pruned.promise;
  }

  /** Uses the time of the events, as every node must forget an idempotency key at the same entry. */
  #removeTo(upTo: number): Promise<number> {
    return this.#upkeep.prune({ upTo }, this.#bounds.lastAtMs);
  }

  #accept(place: Place): void {
    this.#place = place;
    for (const { upTo, pruned } of this.#decided) pruned.resolve(this.#removeTo(upTo));
    this.#decided = [];
    this.#writers.committed();
    this.#tokens.committed();
  }
}

function placeIn(stored: MetaValues): Place | undefined {
  if (stored.stream_place === 0 && stored.stream_created_s === 0) return undefined;
  return {
    sequence: stored.stream_place,
    createdS: stored.stream_created_s,
    createdNs: stored.stream_created_ns,
  };
}
