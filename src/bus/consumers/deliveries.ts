import type { Settled } from "../../protocol/consumer.ts";
import type { Item } from "../cursor.ts";
import type { EventLog } from "../ports.ts";
import { DeadTasks, MAX_DEAD } from "./dead.ts";
import { DueQueue } from "./due-queue.ts";
import { Feed } from "./feed.ts";
import { InFlight } from "./in-flight.ts";
import { Lanes } from "./lanes.ts";
import { OpenTasks } from "./open-tasks.ts";
import type { TaskRecord } from "./ports.ts";
import { type Changes, type Clocks, inLoadOrder, Rows } from "./rows.ts";
import { type ConsumerSettings, retryDelayMs } from "./settings.ts";
import { contentOf, type Delivery, makeTask, shortened, type Task } from "./task.ts";

/** Events passed in one call because their lanes are busy; then other work gets a turn. */
const MAX_PASSED = 2000;
/** A read of the history counts as this many of them. */
const READ_STEPS = 100;
/** Tasks that are out or wait for another attempt. With more, nothing new is begun. */
const MAX_OPEN = 200_000;
/**
 * A delivery that is out while this many more than `max_in_flight` are settled gets a row, so that a crash does not
 * repeat all of those.
 */
const MAX_REPEATED = 1000;
/** Characters of JSON after which a call hands out no more: takers hold all of it at once. */
const MAX_TAKEN_CHARACTERS = 1024 * 1024;

export interface DeliveriesOptions {
  readonly log: EventLog;
  readonly settings: ConsumerSettings;
  /** Everything up to this id is settled, or among `tasks`. */
  readonly place: number;
  readonly tasks: readonly TaskRecord[];
  /** Begins the name of every delivery. No two openings may have the same. */
  readonly run: string;
  readonly clocks: Clocks;
}

/**
 * The deliveries of one consumer: a cursor over the history, and what it has passed that is not settled.
 *
 * What holds: every matching event after the place at which it was opened is handed out, one taker at a time, again
 * and again until it is acknowledged or given up. With `order` `topic` or `all`, an event is handed out only after the
 * ones before it, of its topic or of all topics, are settled. No more than `max_in_flight` are out.
 */
export class Deliveries {
  readonly #log: EventLog;
  readonly #clocks: Clocks;
  readonly #lanes: Lanes;
  /** Ids after the place that have a row: the cursor passes over them. */
  #known = new Set<number>();
  /** What was given up. */
  readonly dead = new DeadTasks();
  readonly #rows: Rows;
  /** Out or waiting, in any order. */
  readonly #open = new OpenTasks();
  readonly #out: InFlight;
  readonly #waiting = new DueQueue();
  /** Settled tasks whose lane is still looking for its next event. Until then they are not forgotten. */
  readonly #ending: Task[] = [];
  #settings: ConsumerSettings;
  #feed: Feed;
  #savedPlace: number;
  #settled = 0;
  #isDirty = false;
  #isUnfinished = false;
  /** Gaps handed out for the first time. */
  gaps = 0;
  /** Attempts since it was opened. */
  readonly counts = { handedOut: 0, acknowledged: 0, failed: 0 };
  /** Why the last attempt failed. */
  lastReason = "";

  constructor({ log, settings, place, tasks, run, clocks }: DeliveriesOptions) {
    this.#log = log;
    this.#settings = settings;
    this.#out = new InFlight(run);
    this.#clocks = clocks;
    this.#rows = new Rows(clocks);
    this.#lanes = new Lanes(log);
    this.#feed = new Feed(log, settings.topics, place);
    this.#savedPlace = place;
    for (const record of inLoadOrder(tasks)) this.#load(record);
  }

  get inFlight(): number {
    return this.#out.size;
  }

  get retrying(): number {
    return this.#open.retrying;
  }

  /** Matching events that are neither settled nor given up. At least this many until `isLagExact`. */
  get lag(): number {
    return this.#open.size - this.#ending.length + this.#feed.unread.count;
  }

  get isLagExact(): boolean {
    return this.#feed.unread.isExact;
  }

  /** Counts more of the lag; returns whether it is exact now. */
  countOn(): boolean {
    return this.#feed.unread.countOn();
  }

  /** Everything up to this id is settled, or has a row once it is saved. */
  get place(): number {
    const first = this.#open.firstWithoutRow ?? this.#feed.passedTo + 1;
    return Math.max(first - 1, this.#savedPlace);
  }

  /** The place as it was saved last. */
  get savedPlace(): number {
    return this.#savedPlace;
  }

  /** The first id that is not settled; undefined if there is none. */
  get oldestId(): number | undefined {
    return this.#open.firstId;
  }

  /** Whether there is something to save. */
  get isDirty(): boolean {
    return this.#isDirty || this.#rows.isDirty;
  }

  /** Whether `take` stopped although there may be more, so that other work gets a turn. */
  get isUnfinished(): boolean {
    return this.#isUnfinished || this.#ending.length > 0;
  }

  /**
   * When something is due next, in milliseconds of the monotonic clock; undefined if nothing is. What is due already
   * only waits for a taker.
   */
  get nextDueMs(): number | undefined {
    const { firstMs = Number.POSITIVE_INFINITY } = this.#out;
    const { nextMs = 0 } = this.#waiting;
    const retryMs = nextMs > this.#nowMs ? nextMs : Number.POSITIVE_INFINITY;
    const dueMs = Math.min(firstMs + this.#settings.ackTimeoutMs, retryMs);
    return dueMs === Number.POSITIVE_INFINITY ? undefined : dueMs;
  }

  /** A matching event was published. */
  published(id: number): void {
    this.#feed.published(id);
  }

  /**
   * Hands out at most `max` deliveries, fewer if they are large; none if nothing is due. What is due again comes before
   * what was not tried, unless `prefersNew`.
   */
  take(max: number, prefersNew = false): Delivery[] {
    const taken: Delivery[] = [];
    let characters = 0;
    this.#isUnfinished = false;
    while (taken.length < max && characters < MAX_TAKEN_CHARACTERS && this.#out.size < this.#settings.maxInFlight) {
      const task = (prefersNew ? this.#advance() : undefined) ?? this.#next();
      if (task === undefined) break;
      const delivery = this.#handOut(task);
      characters += delivery.event?.json.length ?? 0;
      taken.push(delivery);
    }
    return taken;
  }

  /** Takes back, and returns, the deliveries that were out for too long. */
  expire(): string[] {
    const expired = this.#out.takeUntil(this.#nowMs - this.#settings.ackTimeoutMs);
    const names = expired.map(({ delivery }) => delivery);
    for (const task of expired) this.#fail(task, "it was not acknowledged in time", undefined);
    return names;
  }

  /** The work is done. */
  ack(deliveries: readonly string[]): Settled {
    return this.#out.each(deliveries, (task) => this.#settle(task));
  }

  /** The attempt failed; the next one follows after `delayMs`, or by the schedule if that is undefined. */
  nack(deliveries: readonly string[], reason: string, delayMs: number | undefined): Settled {
    return this.#out.each(deliveries, (task) => this.#fail(task, reason, delayMs));
  }

  /** What could not be tried comes again after `delayMs`; no attempt is counted. */
  putBack(deliveries: readonly string[], reason: string, delayMs: number): Settled {
    return this.#out.each(deliveries, (task) => {
      task.reason = reason;
      this.lastReason = reason;
      this.#wait(task, delayMs);
    });
  }

  /** The work goes on: each may be out for another `ack_timeout` from now. */
  extend(deliveries: readonly string[]): Settled {
    return this.#out.each(deliveries, (task) => this.#out.extend(task, this.#nowMs));
  }

  /**
   * Continues after the id `position`, and forgets what is out or waiting. What was given up stays given up. Returns
   * the deliveries that were taken back.
   */
  moveTo(position: number): string[] {
    const takenBack = this.#out.names();
    for (const task of this.#open) this.#rows.drop(task);
    for (const part of [this.#open, this.#out, this.#waiting, this.#lanes]) part.clear();
    this.#ending.length = 0;
    this.#known = new Set(this.dead.page(position, MAX_DEAD).map(({ id }) => id));
    this.#feed = new Feed(this.#log, this.#settings.topics, position);
    this.#savedPlace = position;
    this.#isDirty = true;
    return takenBack;
  }

  /**
   * Changes the settings. With another pattern or order, continues just before the first event that is not settled, so
   * what was settled after it is delivered again. Returns the deliveries that were taken back.
   */
  change(settings: ConsumerSettings): string[] {
    const { topics, order } = this.#settings;
    const isAnother = topics.key !== settings.topics.key || order !== settings.order;
    const position = Math.min(this.place, (this.oldestId ?? Number.POSITIVE_INFINITY) - 1);
    this.#settings = settings;
    this.#isDirty = true;
    return isAnother ? this.moveTo(position) : [];
  }

  /** Tries these again, or all of them, with all attempts; returns how many. */
  retryDead(ids: ReadonlySet<number> | undefined): number {
    const tasks = this.dead.take(ids);
    for (const { deadAtMs: _, ...task } of tasks) {
      const lane = this.#settings.order === "topic" ? task.lane : "";
      const again = makeTask({ ...task, lane, laneFrom: 0, attempts: 0, atMs: this.#nowMs });
      this.#open.add(again);
      this.#rows.put(again);
      if (lane === "" || !this.#lanes.queue(again, this.#feed.passedTo)) this.#waiting.push(again);
    }
    return tasks.length;
  }

  /** Forgets these, or all of them; returns how many. */
  removeDead(ids: ReadonlySet<number> | undefined): number {
    const tasks = this.dead.take(ids);
    for (const task of tasks) this.#rows.drop(task);
    return tasks.length;
  }

  /** What has changed since the last call of `saved`. */
  changes(): Changes {
    for (const task of this.#open) if (task.row === 0 && this.#needsRow(task)) this.#rows.put(task);
    return { place: this.place, ...this.#rows.changes() };
  }

  /** What `changes` returned last, with this place, survives a crash. */
  saved(place: number): void {
    this.#savedPlace = place;
    this.#rows.saved();
    this.#isDirty = false;
  }

  get #nowMs(): number {
    return this.#clocks.monotonic();
  }

  #load(record: TaskRecord): void {
    const { isDead, ...rest } = record;
    const atMs = Math.max(0, record.atMs - this.#clocks.wall()) + this.#nowMs;
    const lane = this.#settings.order === "topic" ? record.lane : "";
    const task = makeTask({ ...rest, lane, atMs });
    this.#rows.loaded(record);
    if (record.id > this.#feed.passedTo) this.#known.add(record.id);
    if (isDead) return void this.dead.add({ ...task, deadAtMs: record.atMs });
    const isBusy = lane !== "" && this.#lanes.has(lane);
    if (isBusy && task.laneFrom > 0) {
      // The head of its lane comes before it, and leads to it.
      this.#rows.drop(task);
      return;
    }
    this.#open.add(task);
    if (isBusy) this.#lanes.queue(task, task.id);
    else {
      if (lane !== "") this.#lanes.open(lane, task.laneFrom === 0 ? task.id : task.laneFrom, task.laneFrom > 0);
      this.#waiting.push(task);
    }
  }

  #next(): Task | undefined {
    if (this.#settings.order === "all" && this.#out.size > 0) return undefined;
    const due = this.#waiting.popDue(this.#nowMs);
    if (due !== undefined || this.#ending.length === 0) return due ?? this.#advance();
    for (const task of this.#ending.splice(0)) this.#end(task);
    return this.#waiting.popDue(this.#nowMs) ?? this.#advance();
  }

  /** The next event or gap after the cursor; undefined if nothing may be begun now. */
  #advance(): Task | undefined {
    if (this.#open.size >= MAX_OPEN || (this.#settings.order === "all" && this.#open.size > 0)) return undefined;
    for (let passed = 0; passed < MAX_PASSED; passed++) {
      const item = this.#feed.next();
      if (item === "end") return undefined;
      if (item === "later") passed += READ_STEPS;
      const task = item === "later" ? undefined : this.#begin(item);
      if (task === undefined) continue;
      this.#open.add(task);
      return task;
    }
    this.#isUnfinished = true;
    return undefined;
  }

  /** Undefined if there is nothing to begin: the event must wait for its lane, or has a row already. */
  #begin(item: Item): Task | undefined {
    if ("type" in item) {
      if (item.type !== "gap") return undefined;
      const { after, next } = item;
      return makeTask({ id: after + 1, gap: { after, next } });
    }
    if (this.#known.delete(item.id)) return undefined;
    const isLaned = this.#settings.order === "topic";
    if (isLaned && this.#lanes.has(item.topic)) {
      this.#feed.unread.passed(item.id);
      this.#lanes.park(item);
      return undefined;
    }
    this.#feed.unread.begun(item.id);
    if (isLaned) this.#lanes.open(item.topic, item.id, false);
    const place = isLaned ? { lane: item.topic, laneFrom: item.id } : {};
    return makeTask({ id: item.id, ...place, event: item });
  }

  #handOut(task: Task): Delivery {
    const delivery = this.#out.add(task, this.#nowMs);
    this.#open.handedOut(task);
    this.counts.handedOut++;
    task.settledBefore = this.#settled;
    const attempt = task.attempts + 1;
    const content = contentOf(this.#log, task);
    if ("gap" in content && attempt === 1) this.gaps++;
    task.event = undefined;
    return { delivery, attempt, ...content };
  }

  #settle(task: Task): void {
    this.counts.acknowledged++;
    this.#settled++;
    this.#isDirty = true;
    this.#end(task);
  }

  #fail(task: Task, reason: string, delayMs: number | undefined): void {
    task.attempts++;
    this.counts.failed++;
    task.reason = shortened(reason);
    this.lastReason = task.reason;
    this.#isDirty = true;
    this.#rows.put(task);
    if (task.attempts >= this.#settings.maxAttempts) this.#giveUp(task);
    else this.#wait(task, delayMs ?? retryDelayMs(this.#settings, task.attempts));
  }

  #wait(task: Task, delayMs: number): void {
    task.delivery = "";
    task.atMs = this.#nowMs + delayMs;
    this.#open.waits(task);
    this.#waiting.push(task);
  }

  #giveUp(task: Task): void {
    task.delivery = "";
    const dead = { ...task, deadAtMs: this.#clocks.wall() };
    this.#rows.put(dead);
    this.dead.add(dead);
    // The dead copy keeps the row, and leads nowhere: this task stands for the lane until its next event is found.
    task.row = 0;
    this.#settled++;
    this.#end(task);
  }

  /** Closes a settled task; the next event of its lane, if there is one, is due. */
  #end(task: Task): void {
    const next = task.lane === "" ? "end" : this.#lanes.next(task.lane, this.#feed.passedTo);
    if (next === "later") return void this.#ending.push(task);
    this.#open.delete(task);
    this.#rows.drop(task);
    if (next === "end") return;
    if (next.row === 0 && next.gap === undefined) this.#feed.unread.begun(next.id);
    this.#open.add(next);
    next.atMs = 0;
    this.#waiting.push(next);
  }

  #needsRow({ id, delivery, settledBefore }: Task): boolean {
    if (id <= this.#savedPlace) return true;
    return delivery !== "" && this.#settled - settledBefore > this.#settings.maxInFlight + MAX_REPEATED;
  }
}
