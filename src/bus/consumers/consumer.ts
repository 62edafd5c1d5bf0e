import type { ConsumerInfo, Settled } from "../../protocol/consumer.ts";
import type { Event } from "../event.ts";
import type { Interest } from "../interest/interest.ts";
import type { EventLog } from "../ports.ts";
import type { DeadTasks } from "./dead.ts";
import { MAX_DEAD } from "./dead.ts";
import { Deliveries } from "./deliveries.ts";
import type { ConsumerChange, ConsumerRecord } from "./ports.ts";
import { parseSecrets, rotated, type SigningSecret, shownPush, signing } from "./push.ts";
import type { Clocks } from "./rows.ts";
import { type ConsumerSettings, parseSettings, writtenOf } from "./settings.ts";
import { type Delivery, eventOf } from "./task.ts";

/** Deliveries that a taker gets before it is the next one's turn. */
const SHARE = 64;
/** Deliveries in one turn of the loop: a few milliseconds. */
const MAX_PER_TURN = 1024;
/** Pages of events counted for one request. */
const COUNT_PAGES = 20;
/** The longest time that `setTimeout` accepts. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Receives deliveries. */
export interface Taker {
  /** How many it takes now. */
  readonly room: number;
  /** Whether it gets untried events first, ahead of what is due again. Default: it does not. */
  readonly prefersNew?: boolean;
  /** Gives it deliveries, at least one and no more than it has room for. Must not throw. */
  give(deliveries: readonly Delivery[]): void;
  /** These deliveries were taken back: if the taker had any of them, it no longer does. Default: ignored. */
  takenBack?(deliveries: readonly string[]): void;
  /** It gets nothing more: the consumer was deleted, or is no longer served here. */
  dismissed?(): void;
}

/** Where takers work: they get deliveries, and settle them. */
export interface Workplace {
  readonly name: string;
  addTaker(taker: Taker): void;
  removeTaker(taker: Taker): void;
  /** A taker has room again. */
  wake(): void;
  ack(deliveries: readonly string[]): Settled | Promise<Settled>;
  nack(deliveries: readonly string[], reason: string, delayMs?: number): Settled | Promise<Settled>;
  extend(deliveries: readonly string[]): Settled | Promise<Settled>;
}

export interface ConsumerOptions {
  readonly log: EventLog;
  readonly record: ConsumerRecord;
  /** Begins the name of every delivery. No two openings may have the same. */
  readonly run: string;
  readonly clocks: Clocks;
  /** The consumer has something to save. */
  readonly onDirty: () => void;
  /** The consumer was paused because it could not continue. */
  readonly onStuck: (reason: string) => void;
  /** Whether it may hand out and settle now. Call `wake` when it may again. Default: always. */
  readonly mayServe?: (() => boolean) | undefined;
}

/** A named place in the history: each event goes to one taker at a time, until one of them acknowledges it. */
export class Consumer implements Workplace {
  readonly name: string;
  /** The events that it wants; replaced when the settings change. */
  interest: Interest;
  readonly #log: EventLog;
  readonly #deliveries: Deliveries;
  readonly #clocks: Clocks;
  readonly #onDirty: () => void;
  readonly #onStuck: (reason: string) => void;
  readonly #mayServe: () => boolean;
  readonly #takers = new Set<Taker>();
  #settings: ConsumerSettings;
  #isPaused: boolean;
  #lastError: string;
  #gaps: number;
  #secrets: readonly SigningSecret[];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerMs = Number.POSITIVE_INFINITY;
  #isScheduled = false;
  #isChanged = false;
  #isClosed = false;
  #pending: { readonly place: number; readonly gaps: number } | undefined;

  constructor({ log, record, run, clocks, onDirty, onStuck, mayServe = () => true }: ConsumerOptions) {
    this.name = record.name;
    this.#log = log;
    this.#clocks = clocks;
    this.#onDirty = onDirty;
    this.#onStuck = onStuck;
    this.#mayServe = mayServe;
    this.#settings = parseSettings(JSON.parse(record.settings));
    this.#isPaused = record.isPaused;
    this.#lastError = record.lastError;
    this.#gaps = record.gaps;
    this.#secrets = parseSecrets(record.secrets);
    const { place, tasks } = record;
    this.#deliveries = new Deliveries({ log, settings: this.#settings, place, tasks, run, clocks });
    this.interest = this.#makeInterest();
  }

  get settings(): ConsumerSettings {
    return this.#settings;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  get dead(): DeadTasks {
    return this.#deliveries.dead;
  }

  /** The event with this id; undefined if it was removed or is damaged. */
  eventOf(id: number): Event | undefined {
    return eventOf(this.#log, id);
  }

  /** Figures that need no read of the history. Unless `isLagExact`, the lag is at least `lag`. */
  get figures() {
    const { inFlight, retrying, lag, isLagExact, dead, counts } = this.#deliveries;
    return { inFlight, retrying, lag, isLagExact, dead: dead.size, isPaused: this.#isPaused, ...counts };
  }

  /** Settings and state. First counts more of the lag; the event loop is free in between. */
  async info(nextTurn: () => Promise<void>): Promise<ConsumerInfo> {
    for (let pages = 1; !this.#deliveries.countOn() && pages < COUNT_PAGES; pages++) await nextTurn();
    const { place, oldestId } = this.#deliveries;
    const { inFlight, retrying, lag, isLagExact, dead, acknowledged, failed } = this.figures;
    const oldest = oldestId === undefined ? undefined : eventOf(this.#log, oldestId);
    return {
      name: this.name,
      ...writtenOf(this.#settings),
      push: this.#settings.push ? shownPush(this.#settings.push) : null,
      place,
      lag,
      lag_is_exact: isLagExact,
      in_flight: inFlight,
      retrying,
      dead,
      oldest_unacked_at: oldest?.created_at ?? null,
      paused: this.#isPaused,
      last_error: this.#lastError === "" ? null : this.#lastError,
      gaps: this.#gaps + this.#deliveries.gaps,
      acknowledged,
      failed,
    };
  }

  /** Gives deliveries to the taker, from a later turn of the loop on, as long as it has room. */
  addTaker(taker: Taker): void {
    this.#takers.add(taker);
    this.wake();
  }

  /** Gives it nothing more. */
  removeTaker(taker: Taker): void {
    this.#takers.delete(taker);
  }

  /** Hands out at most `max` deliveries at once, without a taker. */
  take(max: number): Delivery[] {
    if (this.#isPaused || this.#isIdle) return [];
    const taken = this.#deliveries.take(Math.min(max, MAX_PER_TURN));
    this.#schedule();
    return taken;
  }

  /** A taker has room again, or there is something to hand out: hands it out in a later turn of the loop. */
  wake(): void {
    if (this.#isScheduled || this.#isPaused || this.#isClosed || this.#takers.size === 0) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#handOut();
    });
  }

  /** Takes back what was out for too long, and hands out what is due. */
  lookAgain(): void {
    this.#timerMs = Number.POSITIVE_INFINITY;
    this.expire();
    this.wake();
    this.#schedule();
  }

  /** The work is done. */
  ack(deliveries: readonly string[]): Settled {
    return this.#isIdle ? unknown(deliveries) : this.#settled(this.#deliveries.ack(deliveries));
  }

  /** Takes back what was out for too long; happens by itself when it is due. */
  expire(): void {
    if (this.#isIdle) return;
    this.#tell(this.#deliveries.expire());
    this.#noteFailures();
  }

  /** The attempt failed; the next one follows after `delayMs`, or by the schedule if that is undefined. */
  nack(deliveries: readonly string[], reason: string, delayMs?: number): Settled {
    return this.#isIdle ? unknown(deliveries) : this.#settled(this.#deliveries.nack(deliveries, reason, delayMs));
  }

  /** The work goes on: each may be out for another `ack_timeout` from now. */
  extend(deliveries: readonly string[]): Settled {
    if (this.#isIdle) return unknown(deliveries);
    const settled = this.#deliveries.extend(deliveries);
    this.#schedule();
    return settled;
  }

  /** Hands out nothing until `resume`. What is out can still be acknowledged. */
  pause(reason = ""): void {
    this.#isPaused = true;
    if (reason !== "") this.#lastError = reason;
    this.#change();
  }

  resume(): void {
    this.#isPaused = false;
    this.#change();
    this.wake();
  }

  /** Continues after the id `position`; what is out is taken back. */
  seek(position: number): void {
    this.#tell(this.#deliveries.moveTo(position));
    this.#change();
    this.wake();
  }

  /** The secrets that sign what is posted now, the newest first. */
  get signingSecrets(): string[] {
    return signing(this.#secrets, this.#clocks.wall());
  }

  /** Signs with this secret from now on, and with the one before for another day. Undefined: signs with none. */
  setSecret(secret: string | undefined): void {
    this.#secrets = secret === undefined ? [] : rotated(this.#secrets, secret, this.#clocks.wall());
    this.#change();
  }

  /** Takes back what could not be tried; no attempt is counted. */
  putBack(deliveries: readonly string[], reason: string, delayMs: number): Settled {
    return this.#isIdle ? unknown(deliveries) : this.#settled(this.#deliveries.putBack(deliveries, reason, delayMs));
  }

  /** Changes the settings; keeps its place. */
  set(settings: ConsumerSettings): void {
    this.#settings = settings;
    this.#tell(this.#deliveries.change(settings));
    this.interest = this.#makeInterest();
    this.#change();
    this.wake();
  }

  retryDead(ids: ReadonlySet<number> | undefined): number {
    const count = this.#deliveries.retryDead(ids);
    this.#change();
    this.wake();
    return count;
  }

  removeDead(ids: ReadonlySet<number> | undefined): number {
    const count = this.#deliveries.removeDead(ids);
    this.#change();
    return count;
  }

  /** Whether there is something to save besides a place that only moved past events that do not match. */
  get isDirty(): boolean {
    return this.#isChanged || this.#deliveries.isDirty;
  }

  /** Whether the place differs from the one that was saved last. */
  get hasMoved(): boolean {
    return this.#deliveries.place !== this.#deliveries.savedPlace;
  }

  /** What has changed since the last call of `saved`. */
  changes(): ConsumerChange {
    const { name } = this;
    const { place, put, removed } = this.#deliveries.changes();
    const gaps = this.#gaps + this.#deliveries.gaps;
    this.#pending = { place, gaps };
    const settings = JSON.stringify(writtenOf(this.#settings));
    const secrets = JSON.stringify(this.#secrets);
    const state = { name, settings, place, isPaused: this.#isPaused, lastError: this.#lastError, gaps, secrets };
    return { name, state, put, removed };
  }

  saved(): void {
    if (this.#pending === undefined) return;
    this.#deliveries.saved(this.#pending.place);
    this.#pending = undefined;
    this.#isChanged = false;
  }

  /** Hands out nothing more. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    const takers = [...this.#takers];
    this.#takers.clear();
    for (const taker of takers) taker.dismissed?.();
  }

  /** Closed, or not allowed to serve now: nothing is handed out or recorded. */
  get #isIdle(): boolean {
    return this.#isClosed || !this.#mayServe();
  }

  #tell(takenBack: readonly string[]): void {
    if (takenBack.length === 0) return;
    for (const taker of this.#takers) taker.takenBack?.(takenBack);
  }

  #makeInterest(): Interest {
    return {
      topics: this.#settings.topics,
      deliver: ({ id }) => this.#deliveries.published(id),
      endBatch: () => this.wake(),
    };
  }

  #handOut(): void {
    if (this.#isPaused || this.#isIdle) return;
    this.expire();
    for (let left = MAX_PER_TURN; left > 0; ) {
      const taker = this.#nextTaker();
      const given =
        taker === undefined ? [] : this.#deliveries.take(Math.min(taker.room, SHARE, left), taker.prefersNew);
      if (taker === undefined || given.length === 0) break;
      left -= given.length;
      taker.give(given);
    }
    if (this.#nextTaker() !== undefined && this.#deliveries.isUnfinished) this.wake();
    this.#schedule();
  }

  /** The one with room that has waited longest; it goes to the end of the line. */
  #nextTaker(): Taker | undefined {
    for (const taker of this.#takers) {
      if (taker.room <= 0) continue;
      this.#takers.delete(taker);
      this.#takers.add(taker);
      return taker;
    }
    return undefined;
  }

  #settled(settled: Settled): Settled {
    this.#noteFailures();
    if (this.isDirty) this.#onDirty();
    this.#schedule();
    this.wake();
    return settled;
  }

  #noteFailures(): void {
    const { lastReason, dead } = this.#deliveries;
    if (lastReason !== "") this.#lastError = lastReason;
    this.#deliveries.lastReason = "";
    if (this.isDirty) this.#onDirty();
    if (dead.size < MAX_DEAD || this.#isPaused) return;
    const reason = `${MAX_DEAD} events were given up: retry or delete them, then resume`;
    this.pause(reason);
    this.#onStuck(reason);
  }

  #change(): void {
    this.#isChanged = true;
    this.#schedule();
  }

  /** Looks again when the next delivery is due, or must be taken back. */
  #schedule(): void {
    const { nextDueMs } = this.#deliveries;
    if (nextDueMs === undefined || this.#isIdle || nextDueMs >= this.#timerMs) return;
    clearTimeout(this.#timer);
    this.#timerMs = nextDueMs;
    const inMs = Math.max(1, Math.ceil(nextDueMs - this.#clocks.monotonic()));
    this.#timer = setTimeout(() => this.lookAgain(), Math.min(inMs, MAX_TIMER_MS));
  }
}

function unknown(deliveries: readonly string[]): Settled {
  return { done: 0, unknown: deliveries };
}
