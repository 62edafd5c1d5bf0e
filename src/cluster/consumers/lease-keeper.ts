import type { ChangeSource, ConsumerChange, ConsumerMirror, ConsumerRecord, Lease } from "../../bus/consumers/ports.ts";
import { BusError } from "../../bus/errors.ts";
import type { Adopted, Change } from "../../bus/ports.ts";
import { piecesOf } from "./pieces.ts";

/** How long a node may serve after it has sent an entry by which it renewed the lease, in milliseconds. */
const LEASE_MS = 4000;
/** With nothing to save, the lease is renewed this often, in milliseconds: three times before it ends. */
const RENEW_MS = 1300;
/**
 * Another node takes the lease when it has seen no renewal for this long, in milliseconds: longer than the lease is
 * valid, and counted from the renewal's arrival, which is after it was sent. So no two nodes serve at the same time, as
 * long as clocks measure such a time to within a fifth.
 */
const CLAIM_AFTER_MS = 5500;
/** Each node waits up to this much longer, at random, in milliseconds, so that usually only one of them claims. */
const CLAIM_SPREAD_MS = 500;
/** How long a node that stops waits until the lease is given back, in milliseconds. */
const RELEASE_MS = 2000;
/** Time between two looks at the lease, in milliseconds. */
const LOOK_MS = 100;
/** How long a caller waits until some node serves, in milliseconds: as long as a takeover usually takes. */
const FIND_MS = 12_000;

export interface LeaseKeeperOptions {
  /** Names this run of this node. */
  readonly node: string;
  readonly mirror: ConsumerMirror;
  /** Sends a change to the stream; resolves once it was adopted here. */
  readonly change: (change: Change) => Promise<Adopted>;
  /** Whether this node follows the stream and has everything that was in it. */
  readonly isUpToDate: () => boolean;
}

/** Serves the consumers while this node has the lease. */
export interface Server extends ChangeSource {
  /** Serves these, in place of all others. */
  serve(records: readonly ConsumerRecord[]): void;
  /** Serves none, and saves nothing. */
  abandon(): void;
  /** It may hand out and record again. */
  wake(): void;
}

/**
 * Takes and keeps the lease by which one node serves the consumers.
 *
 * The lease is in the order of the stream: every node sees at the same place who has it, and ignores what any other
 * one wants to save. A claim names the revision that it replaces, so of several only the first is effective, and none
 * if the lease was renewed before it.
 */
export class LeaseKeeper {
  readonly #node: string;
  readonly #mirror: ConsumerMirror;
  readonly #send: LeaseKeeperOptions["change"];
  readonly #isUpToDate: () => boolean;
  readonly #look: ReturnType<typeof setInterval>;
  readonly #spreadMs = Math.random() * CLAIM_SPREAD_MS;
  readonly #waiting = new Set<() => void>();
  #server: Server | undefined;
  #isServing = false;
  /** The last revision that was seen, and when it came. */
  #seen: { readonly revision: number; readonly at: Moment };
  /** When the last effective renewal was sent. */
  #renewed: Moment | undefined;
  #sentMs = Number.NEGATIVE_INFINITY;
  #isClaiming = false;
  #isNeeded = false;
  #isClosed = false;

  constructor({ node, mirror, change, isUpToDate }: LeaseKeeperOptions) {
    this.#node = node;
    this.#mirror = mirror;
    this.#send = change;
    this.#isUpToDate = isUpToDate;
    this.#seen = { revision: mirror.lease.revision, at: now() };
    this.#look = setInterval(() => this.#lookAt(), LOOK_MS);
  }

  attach(server: Server): void {
    this.#server = server;
  }

  get lease(): Lease {
    return this.#mirror.lease;
  }

  /** Whether this node serves the consumers, and may hand out and record now. */
  get mayServe(): boolean {
    return this.#isServing && this.#renewed !== undefined && agoMs(this.#renewed) < LEASE_MS;
  }

  /** Entries were adopted. */
  adopted(): void {
    const { node, revision } = this.lease;
    if (revision === this.#seen.revision) return;
    this.#seen = { revision, at: now() };
    if (this.#isServing && node !== this.#node) this.#lose();
    this.#tell();
  }

  /**
   * Resolves with whether this node is to handle calls, once a node serves the consumers, or if there are no consumers
   * and `isNeeded` is false. Rejects with `unavailable` after a while.
   */
  async find(isNeeded: boolean): Promise<boolean> {
    const deadlineMs = performance.now() + FIND_MS;
    try {
      return await this.#find(isNeeded, deadlineMs);
    } finally {
      this.#isNeeded = false;
    }
  }

  async #find(isNeeded: boolean, deadlineMs: number): Promise<boolean> {
    for (;;) {
      if (this.mayServe) return true;
      if (!isNeeded && this.#mirror.names().size === 0 && this.lease.node !== this.#node) return true;
      if (this.#isOtherServing) return false;
      if (this.#isClosed || performance.now() >= deadlineMs) throw notServed();
      if (isNeeded) this.#isNeeded = true;
      this.#lookAt();
      await this.#change(deadlineMs);
    }
  }

  /** Saves what has changed. Rejects, and serves no more, if it is not certain that it was saved. */
  async save(): Promise<void> {
    const changes = this.#server?.changes() ?? [];
    this.#server?.saved();
    if (changes.length === 0) return;
    if (!this.#isServing) throw notServed();
    await Promise.all(piecesOf(changes).map((piece) => this.#renewBy(piece, false)));
  }

  /** Gives the lease back, if NATS can be reached: another node takes it at once. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#look);
    this.#tell();
    if (!this.mayServe) return;
    await Promise.race([this.#renewBy([], true).catch(() => {}), Bun.sleep(RELEASE_MS)]);
  }

  get #isOtherServing(): boolean {
    const { node } = this.lease;
    return node !== "" && node !== this.#node && agoMs(this.#seen.at) < CLAIM_AFTER_MS;
  }

  #lookAt(): void {
    if (this.#isClosed || !this.#isUpToDate()) return;
    if (this.#isServing) this.#renew();
    else if (this.#mayClaim) void this.#claim();
  }

  #renew(): void {
    const isIdle = this.#mirror.names().size === 0 && !this.#isNeeded;
    if (isIdle || performance.now() - this.#sentMs < RENEW_MS) return;
    this.#renewBy([], false).catch(() => {});
  }

  get #mayClaim(): boolean {
    if (this.#server === undefined || this.#isClaiming) return false;
    if (this.#mirror.names().size === 0 && !this.#isNeeded) return false;
    const isFree = this.lease.node === "" || this.lease.node === this.#node;
    return isFree || agoMs(this.#seen.at) >= CLAIM_AFTER_MS + this.#spreadMs;
  }

  async #claim(): Promise<void> {
    this.#isClaiming = true;
    const sent = now();
    try {
      const outcome = await this.#send({ kind: "claimConsumers", revision: this.lease.revision });
      // It was adopted in this turn of the loop, but another entry may have come with it.
      if (isEffective(outcome) && this.lease.node === this.#node) this.#begin(sent);
    } catch (error) {
      if (!(error instanceof BusError)) throw error;
    } finally {
      this.#isClaiming = false;
      this.#tell();
    }
  }

  #begin(sent: Moment): void {
    this.#isServing = true;
    this.#sentMs = performance.now();
    this.#renewed = sent;
    this.#server?.serve(this.#mirror.read());
  }

  #lose(): void {
    this.#isServing = false;
    this.#renewed = undefined;
    this.#server?.abandon();
  }

  async #renewBy(changes: readonly ConsumerChange[], isLast: boolean): Promise<void> {
    const sent = now();
    this.#sentMs = performance.now();
    const couldServe = this.mayServe;
    try {
      const outcome = await this.#send({ kind: "saveConsumers", changes, isLast });
      if (!isEffective(outcome)) throw notServed();
    } catch (error) {
      // What was saved is unknown: the next node to serve begins with what the mirror has.
      if (this.#isServing) this.#lose();
      throw error;
    } finally {
      this.#tell();
    }
    if (!this.#isServing || isLast) return;
    if (this.#renewed === undefined || sent.monotonic > this.#renewed.monotonic) this.#renewed = sent;
    if (!couldServe && this.mayServe) this.#server?.wake();
  }

  #tell(): void {
    for (const resolve of this.#waiting) resolve();
  }

  /** Resolves when something may have changed. */
  async #change(deadlineMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.add(resolve);
    const timer = setTimeout(resolve, Math.min(LOOK_MS, Math.max(1, deadlineMs - performance.now())));
    await promise;
    clearTimeout(timer);
    this.#waiting.delete(resolve);
  }
}

/** The monotonic clock stands still while a machine sleeps; the wall clock may be set. */
interface Moment {
  readonly monotonic: number;
  readonly wall: number;
}

function now(): Moment {
  return { monotonic: performance.now(), wall: Date.now() };
}

/** By the clock that shows more, so that a lease ends too early rather than too late. */
function agoMs({ monotonic, wall }: Moment): number {
  return Math.max(performance.now() - monotonic, Date.now() - wall);
}

function isEffective(outcome: Adopted): boolean {
  return "isChanged" in outcome && outcome.isChanged;
}

function notServed(): BusError {
  return new BusError("unavailable", "no node serves the consumers now: try again");
}
