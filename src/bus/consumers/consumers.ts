import type { ConsumerInfo } from "../../protocol/consumer.ts";
import { BusError } from "../errors.ts";
import type { Interest } from "../interest/interest.ts";
import type { EventLog } from "../ports.ts";
import { Consumer } from "./consumer.ts";
import type { ChangeSource, ConsumerChange, ConsumerRecord, ConsumerStore } from "./ports.ts";
import type { Clocks } from "./rows.ts";
import { parseSettings, positionOf, type WrittenSettings, writtenOf } from "./settings.ts";

/** Each costs some kilobytes, and a match for every event that it may want. */
const MAX_CONSUMERS = 10_000;
/** Commits of events save what was acknowledged at most this often: more often would cost more than it gains. */
const SAVE_INTERVAL_MS = 50;
/** What was acknowledged is saved within this time even if nothing is published: a crash repeats no more than that. */
const SAVE_WITHIN_MS = 200;
/** How often places that only moved past events that do not match are saved. */
const SWEEP_MS = 30_000;
const NAME = /^[a-z\d][\w.-]{0,63}$/i;

/** A consumer that was set up or changed, and by whom: the name of the principal, empty while the bus is open. */
export interface ConsumerEvent {
  readonly kind: "created" | "changed" | "deleted" | "paused" | "resumed" | "moved" | "rotated" | "stuck";
  readonly name: string;
  readonly by: string;
  readonly reason?: string;
}

export interface ConsumersOptions {
  readonly log: EventLog;
  readonly store: ConsumerStore;
  readonly interests: { add(interest: Interest): void; remove(interest: Interest): void };
  readonly clocks: Clocks;
  /** Returns a short text that it has never returned before, in any process. */
  readonly makeRun: () => string;
  /** Returns a new secret that cannot be guessed, `whsec_…`. */
  readonly makeSecret: () => string;
  /** Resolves in a later turn of the event loop. */
  readonly nextTurn: () => Promise<void>;
  /** Whether this node of a cluster may hand out and record now. Call `wake` when it may again. Default: always. */
  readonly mayServe?: (() => boolean) | undefined;
  readonly onChange?: (event: ConsumerEvent) => void;
}

/** The result of `set`. */
export interface SetConsumer {
  readonly isNew: boolean;
  /** The secret that signs what is posted, if it is a new one. */
  readonly secret: string | undefined;
}

/** All consumers of a history, by name. */
export class Consumers implements ChangeSource {
  readonly #log: EventLog;
  readonly #store: ConsumerStore;
  readonly #interests: ConsumersOptions["interests"];
  readonly #clocks: Clocks;
  readonly #makeRun: () => string;
  readonly #makeSecret: () => string;
  readonly #nextTurn: () => Promise<void>;
  readonly #mayServe: (() => boolean) | undefined;
  readonly #onChange: (event: ConsumerEvent) => void;
  readonly #byName = new Map<string, Consumer>();
  readonly #dirty = new Set<Consumer>();
  readonly #deleted = new Set<string>();
  /** Names whose deletion is being saved, so nothing else about them is. */
  readonly #leaving = new Set<string>();
  readonly #listeners: ((name: string, consumer: Consumer | undefined) => void)[] = [];
  readonly #sweep: ReturnType<typeof setInterval>;
  #saving: ReturnType<typeof setTimeout> | undefined;
  #lastSaveMs = Number.NEGATIVE_INFINITY;
  #isForced = false;
  #isClosed = false;
  /** What `changes` returned last. */
  #pending: { readonly consumers: readonly Consumer[]; readonly deleted: readonly string[] } | undefined;

  constructor(options: ConsumersOptions) {
    const { onChange = () => {} } = options;
    this.#log = options.log;
    this.#store = options.store;
    this.#interests = options.interests;
    this.#clocks = options.clocks;
    this.#makeRun = options.makeRun;
    this.#makeSecret = options.makeSecret;
    this.#nextTurn = options.nextTurn;
    this.#mayServe = options.mayServe;
    this.#onChange = onChange;
    for (const record of this.#store.all()) this.#open(record);
    this.#store.attach(this);
    this.#sweep = setInterval(() => this.#saveIdle(), SWEEP_MS);
  }

  /** Serves these consumers, in place of all others: this node of a cluster has become the one that serves. */
  serve(records: readonly ConsumerRecord[]): void {
    this.abandon();
    if (this.#isClosed) return;
    for (const record of records) this.#open(record);
    for (const { name } of records) this.#tell(name);
  }

  /** Stops serving all consumers, and saves nothing: another node serves them now. */
  abandon(): void {
    this.#deleted.clear();
    this.#pending = undefined;
    for (const consumer of this.all()) {
      this.#drop(consumer);
      this.#tell(consumer.name);
    }
  }

  /** It may serve again: takes back what was out for too long, and hands out what is due. */
  wake(): void {
    for (const consumer of this.#byName.values()) consumer.lookAgain();
  }

  /** By name. */
  all(): Consumer[] {
    return [...this.#byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Throws `not_found`. */
  get(name: string): Consumer {
    const consumer = this.#byName.get(name);
    if (consumer) return consumer;
    throw noSuchConsumer();
  }

  /** Settings and state of a consumer. */
  info(consumer: Consumer): Promise<ConsumerInfo> {
    return consumer.info(this.#nextTurn);
  }

  /**
   * Creates the consumer, or changes its settings; it keeps its place, and `since` counts only for a new one. Resolves
   * once this is on disk, with whether the consumer is new, and with the secret of a push that is new. Rejects with
   * `parameter_invalid`, `pattern_invalid`, or what the store rejects with.
   */
  async set(name: string, written: WrittenSettings, since: unknown, by = ""): Promise<SetConsumer> {
    this.#requireOpen();
    const settings = parseSettings(written);
    const position = positionOf(this.#log, since === undefined ? "now" : since, this.#clocks.wall());
    const known = this.#byName.get(name);
    const hadSecret = known !== undefined && known.signingSecrets.length > 0;
    const secret = settings.push && !hadSecret ? this.#makeSecret() : undefined;
    if (known === undefined) await this.#create(name, JSON.stringify(writtenOf(settings)), position, secret);
    else {
      await this.#change(known, () => {
        known.set(settings);
        if (secret !== undefined || settings.push === undefined) known.setSecret(secret);
      });
    }
    this.#report(known ? "changed" : "created", name, by);
    return { isNew: known === undefined, secret };
  }

  /** Deletes the consumer and what it has given up. Rejects with `not_found`, or what the store rejects with. */
  async delete(name: string, by = ""): Promise<void> {
    const consumer = this.get(name);
    this.#deleted.add(name);
    this.#leaving.add(name);
    try {
      await this.#save();
    } catch (error) {
      this.#deleted.delete(name);
      throw error;
    } finally {
      this.#leaving.delete(name);
    }
    this.#drop(consumer);
    this.#report("deleted", name, by);
  }

  async pause(name: string, by = ""): Promise<void> {
    const consumer = this.get(name);
    await this.#change(consumer, () => consumer.pause());
    this.#report("paused", name, by);
  }

  /** Pauses a consumer that cannot continue; does nothing if it is paused. */
  stop(consumer: Consumer, reason: string): void {
    if (consumer.isPaused) return;
    consumer.pause(reason);
    this.#markDirty(consumer);
    this.#report("stuck", consumer.name, "", reason);
  }

  async resume(name: string, by = ""): Promise<void> {
    const consumer = this.get(name);
    await this.#change(consumer, () => consumer.resume());
    this.#report("resumed", name, by);
  }

  /** Continues at another place, as a subscriber would start with this `since`. */
  async seek(name: string, since: unknown, by = ""): Promise<void> {
    const consumer = this.get(name);
    const position = positionOf(this.#log, since, this.#clocks.wall());
    await this.#change(consumer, () => consumer.seek(position));
    this.#report("moved", name, by);
  }

  /** Signs with a new secret, which is returned only here; the one before signs for another day. */
  async rotateSecret(name: string, by = ""): Promise<string> {
    const consumer = this.get(name);
    if (consumer.settings.push === undefined) {
      throw new BusError("parameter_invalid", "this consumer does not push, so it has no secret", {
        members: { parameter: "name" },
      });
    }
    const secret = this.#makeSecret();
    await this.#change(consumer, () => consumer.setSecret(secret));
    this.#report("rotated", name, by);
    return secret;
  }

  /** Calls the listener with each consumer that was created or changed; with its name alone when it was deleted. */
  onSettings(listener: (name: string, consumer: Consumer | undefined) => void): void {
    this.#listeners.push(listener);
  }

  /** Retries what was given up, with all attempts: these ids, or all. Resolves with how many. */
  async retryDead(name: string, ids: ReadonlySet<number> | undefined): Promise<number> {
    const consumer = this.get(name);
    return this.#change(consumer, () => consumer.retryDead(ids));
  }

  /** Forgets what was given up: these ids, or all. Resolves with how many. */
  async removeDead(name: string, ids: ReadonlySet<number> | undefined): Promise<number> {
    const consumer = this.get(name);
    return this.#change(consumer, () => consumer.removeDead(ids));
  }

  changes(): readonly ConsumerChange[] {
    const isDue = this.#isForced || this.#clocks.monotonic() - this.#lastSaveMs >= SAVE_INTERVAL_MS;
    if (!isDue || this.#dirty.size + this.#deleted.size === 0) return [];
    const deleted = [...this.#deleted];
    const consumers = [...this.#dirty].filter(({ name }) => !this.#leaving.has(name));
    this.#pending = { consumers, deleted };
    return [
      ...deleted.map((name) => ({ name, state: undefined, put: [], removed: [] })),
      ...consumers.map((consumer) => consumer.changes()),
    ];
  }

  saved(): void {
    if (this.#pending === undefined) return;
    for (const consumer of this.#pending.consumers) {
      consumer.saved();
      this.#dirty.delete(consumer);
    }
    for (const name of this.#pending.deleted) this.#deleted.delete(name);
    this.#pending = undefined;
    this.#lastSaveMs = this.#clocks.monotonic();
  }

  /** Hands out nothing more, and saves every place. May be called twice. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#sweep);
    clearTimeout(this.#saving);
    for (const consumer of this.#byName.values()) {
      consumer.close();
      this.#dirty.add(consumer);
    }
    this.#trySave();
  }

  #requireOpen(): void {
    if (this.#isClosed) throw new BusError("shutting_down", "the server is shutting down");
  }

  async #create(name: string, settings: string, place: number, secret: string | undefined): Promise<void> {
    if (!NAME.test(name)) {
      throw new BusError(
        "parameter_invalid",
        "a consumer's name must be 1 to 64 letters, digits, dots, - and _, and begin with a letter or a digit",
        { members: { parameter: "name" } },
      );
    }
    if (this.#byName.size >= MAX_CONSUMERS) {
      throw new BusError("parameter_invalid", `there may be at most ${MAX_CONSUMERS} consumers: delete one first`, {
        members: { parameter: "name", limit: MAX_CONSUMERS },
      });
    }
    const state = {
      name,
      settings,
      place,
      isPaused: false,
      lastError: "",
      gaps: 0,
      secrets: JSON.stringify(secret === undefined ? [] : [{ secret }]),
    };
    const consumer = this.#open({ ...state, tasks: [] });
    try {
      await this.#change(consumer, () => {});
    } catch (error) {
      this.#drop(consumer);
      throw error;
    }
  }

  #open(record: ConsumerRecord): Consumer {
    const consumer: Consumer = new Consumer({
      log: this.#log,
      record,
      run: this.#makeRun(),
      clocks: this.#clocks,
      onDirty: () => this.#markDirty(consumer),
      onStuck: (reason) => this.#report("stuck", consumer.name, "", reason),
      mayServe: this.#mayServe,
    });
    this.#byName.set(consumer.name, consumer);
    this.#interests.add(consumer.interest);
    return consumer;
  }

  #drop(consumer: Consumer): void {
    consumer.close();
    this.#interests.remove(consumer.interest);
    this.#byName.delete(consumer.name);
    this.#dirty.delete(consumer);
  }

  /** Does the work and saves it. If saving fails, the work is saved later all the same. */
  async #change<T>(consumer: Consumer, work: () => T): Promise<T> {
    this.#requireOpen();
    const { interest } = consumer;
    const result = work();
    if (consumer.interest !== interest) {
      this.#interests.remove(interest);
      this.#interests.add(consumer.interest);
    }
    this.#dirty.add(consumer);
    await this.#save();
    return result;
  }

  #markDirty(consumer: Consumer): void {
    if (this.#isClosed) return;
    this.#dirty.add(consumer);
    this.#saving ??= setTimeout(() => {
      this.#saving = undefined;
      if (this.#dirty.size > 0) this.#trySave();
    }, SAVE_WITHIN_MS);
  }

  #saveIdle(): void {
    for (const consumer of this.#byName.values()) if (consumer.hasMoved) this.#dirty.add(consumer);
    if (this.#dirty.size > 0) this.#trySave();
  }

  /** A failure is reported by the health of the store, and everything is saved with the next commit that succeeds. */
  #trySave(): void {
    const ignore = (error: unknown) => {
      if (!(error instanceof BusError)) throw error;
    };
    try {
      this.#save()?.catch(ignore);
    } catch (error) {
      ignore(error);
    }
  }

  #save(): void | Promise<void> {
    this.#isForced = true;
    try {
      return this.#store.save();
    } finally {
      this.#isForced = false;
    }
  }

  #tell(name: string): void {
    for (const listener of this.#listeners) listener(name, this.#byName.get(name));
  }

  #report(kind: ConsumerEvent["kind"], name: string, by: string, reason?: string): void {
    this.#tell(name);
    this.#onChange({ kind, name, by, ...(reason === undefined ? {} : { reason }) });
  }
}

export function noSuchConsumer(): BusError {
  const ways = "eventbus consumer set, or PUT /api/consumers/{name}";
  return new BusError("not_found", `there is no consumer with this name: create it with ${ways}`);
}
