import { BusError } from "../bus/errors.ts";
import type { Adopted, Change, Entry } from "../bus/ports.ts";
import { encodeEntry } from "./codec.ts";
import { NotSent, type Sending } from "./sending.ts";

/** Events in one entry, unless a single change has more: every node adopts it in one go. */
const MAX_ENTRY_EVENTS = 4096;
/** Characters of data in one entry, unless a single change has more. */
const MAX_ENTRY_CHARACTERS = 512 * 1024;
/** Characters of data that wait to be sent, or to come back, while NATS or this node is slow; more is rejected. */
const MAX_WAITING_CHARACTERS = 64 * 1024 * 1024;
/** Room in a message for its subject and headers, in bytes. */
const HEADER_BYTES = 1024;
/**
 * Default of how long a change may take, in milliseconds. An election of a leader takes up to nine seconds, and
 * publishers are promised an answer within thirty.
 */
const BUDGET_MS = 29_000;
/** The same once the log is closing: stopping must be quick. */
const CLOSING_BUDGET_MS = 3000;
/** Time between two searches for changes that have waited too long, in milliseconds. */
const SWEEP_MS = 250;

export interface EntryQueueOptions {
  /** Names this run of this node. */
  readonly node: string;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  readonly publish: (id: string, bytes: Uint8Array, deadlineMs: number) => Sending;
  /** The greatest size of a message, in bytes; undefined while it is unknown. */
  readonly maxPayload: () => number | undefined;
  /** How long a change may take, in milliseconds. Only tests change it. */
  readonly budgetMs?: number | undefined;
  /** Called when an entry is in the stream, with the time since it was sent, in milliseconds. */
  readonly onStored?: ((ms: number) => void) | undefined;
}

interface Waiting {
  readonly change: Change;
  readonly characters: number;
  readonly deadlineMs: number;
  readonly isAbandoned: (() => boolean) | undefined;
  readonly answer: PromiseWithResolvers<Adopted>;
  wasAsked: boolean;
}

/** An entry that was sent and has not come back from the stream. */
interface Sent {
  readonly group: readonly Waiting[];
  readonly sending: Sending;
  readonly seen: () => void;
}

/**
 * Collects the changes of this node and sends them as entries, one after another: what arrives while an entry is under
 * way shares the next one. A change resolves when its entry has come back from the stream and was adopted.
 */
export class EntryQueue {
  readonly #node: string;
  readonly #clock: () => number;
  readonly #publish: EntryQueueOptions["publish"];
  readonly #maxPayload: () => number | undefined;
  readonly #budgetMs: number;
  readonly #onStored: EntryQueueOptions["onStored"];
  #waiting: Waiting[] = [];
  #waitingCharacters = 0;
  readonly #sent = new Map<number, Sent>();
  #number = 0;
  #isSending = false;
  #isScheduled = false;
  #sweep: ReturnType<typeof setInterval> | undefined;
  #onIdle: (() => void) | undefined;

  constructor(options: EntryQueueOptions) {
    this.#node = options.node;
    this.#clock = options.clock;
    this.#publish = options.publish;
    this.#maxPayload = options.maxPayload;
    this.#budgetMs = options.budgetMs ?? BUDGET_MS;
    this.#onStored = options.onStored;
  }

  /** Resolves with the outcome of the change once it is adopted here. Rejects with the `BusError`. */
  add(change: Change, isAbandoned?: () => boolean): Promise<Adopted> {
    const characters = charactersOf(change);
    if (this.#waitingCharacters + characters > MAX_WAITING_CHARACTERS && this.#waitingCharacters > 0) {
      return Promise.reject(notStored("too much is waiting for NATS"));
    }
    const answer = Promise.withResolvers<Adopted>();
    const deadlineMs = performance.now() + this.#budgetMs;
    this.#waiting.push({ change, characters, deadlineMs, isAbandoned, answer, wasAsked: false });
    this.#waitingCharacters += characters;
    this.#sweep ??= setInterval(() => this.#rejectLate(performance.now()), SWEEP_MS);
    this.#schedule();
    return answer.promise;
  }

  /** Changes that wait to be sent, or to come back. */
  get depth(): number {
    let depth = this.#waiting.length;
    for (const { group } of this.#sent.values()) depth += group.length;
    return depth;
  }

  /** The greatest size of an entry, as far as is known. */
  get maxEntryBytes(): number {
    return (this.#maxPayload() ?? Number.POSITIVE_INFINITY) - HEADER_BYTES;
  }

  /** An entry came from the stream and was adopted; undefined: it was a repeat. */
  adopted({ node, number }: Pick<Entry, "node" | "number">, outcomes: readonly Adopted[] | undefined): void {
    if (node !== this.#node) return;
    const sent = this.#sent.get(number);
    if (sent === undefined || outcomes === undefined) return;
    this.#sent.delete(number);
    this.#release(sent.group);
    sent.group.forEach(({ answer }, index) => {
      const outcome = outcomes[index];
      if (outcome !== undefined) answer.resolve(outcome);
    });
    sent.seen();
    this.#rest();
  }

  /** Resolves once nothing is waiting; what takes too long is rejected. */
  async drain(): Promise<void> {
    if (this.depth === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onIdle = resolve;
    const late = setTimeout(() => this.#rejectLate(Number.POSITIVE_INFINITY), CLOSING_BUDGET_MS);
    await promise;
    clearTimeout(late);
  }

  /** Waits one more turn after a turn that brought something, until an entry is full. */
  #schedule(): void {
    if (this.#isScheduled || this.#isSending) return;
    this.#isScheduled = true;
    this.#collect(this.#waiting.length);
  }

  #collect(seen: number): void {
    setImmediate(() => {
      this.#dropAbandoned();
      const count = this.#waiting.length;
      if (count > seen && count < MAX_ENTRY_EVENTS) {
        this.#collect(count);
        return;
      }
      this.#isScheduled = false;
      void this.#sendAll();
    });
  }

  async #sendAll(): Promise<void> {
    if (this.#isSending) return;
    this.#isSending = true;
    while (this.#waiting.length > 0) {
      await this.#sendNext();
      this.#dropAbandoned();
    }
    this.#isSending = false;
    this.#rest();
  }

  async #sendNext(): Promise<void> {
    const number = ++this.#number;
    const made = this.#make(number);
    if (made === undefined) return;
    const { group, bytes } = made;
    const deadlineMs = Math.min(...group.map((one) => one.deadlineMs));
    const sending = this.#publish(`${this.#node}-${number}`, bytes, deadlineMs);
    const { promise: seen, resolve } = Promise.withResolvers<void>();
    const onSeen = () => {
      sending.settle();
      resolve();
    };
    this.#sent.set(number, { group, sending, seen: onSeen });
    const sentMs = performance.now();
    try {
      await Promise.race([sending.done, seen]);
      this.#onStored?.(performance.now() - sentMs);
    } catch (error) {
      if (this.#sent.delete(number)) this.#release(group);
      for (const { answer } of group) answer.reject(error);
    }
  }

  /** Takes what fits into an entry. Undefined if a single change does not; its call is rejected. */
  #make(number: number): { group: readonly Waiting[]; bytes: Uint8Array } | undefined {
    const limit = this.maxEntryBytes;
    const atMs = Math.trunc(this.#clock());
    for (let count = this.#groupSize(); ; count = Math.ceil(count / 2)) {
      const group = this.#waiting.slice(0, count);
      const bytes = encodeEntry({ node: this.#node, number, atMs, changes: group.map(({ change }) => change) });
      if (bytes.length > limit && count > 1) continue;
      this.#waiting = this.#waiting.slice(count);
      if (bytes.length <= limit) return { group, bytes };
      this.#release(group);
      for (const { answer } of group) answer.reject(tooLarge(limit));
      return undefined;
    }
  }

  #release(group: readonly Waiting[]): void {
    for (const { characters } of group) this.#waitingCharacters -= characters;
  }

  #groupSize(): number {
    let [events, characters, count] = [0, 0, 0];
    for (const one of this.#waiting) {
      events += eventsOf(one.change);
      characters += one.characters;
      if (count > 0 && (events > MAX_ENTRY_EVENTS || characters > MAX_ENTRY_CHARACTERS)) break;
      count++;
    }
    return count;
  }

  #dropAbandoned(): void {
    this.#keep((one) => {
      if (one.wasAsked || one.isAbandoned?.() !== true) {
        one.wasAsked = true;
        return true;
      }
      one.answer.reject(new DOMException("abandoned before it was sent", "AbortError"));
      return false;
    });
  }

  #rejectLate(nowMs: number): void {
    const isLate = ({ deadlineMs }: Waiting) => nowMs >= deadlineMs;
    this.#keep((one) => {
      if (isLate(one)) one.answer.reject(notStored("NATS cannot be reached"));
      return !isLate(one);
    });
    for (const [number, { group, sending, seen }] of this.#sent) {
      if (!group.some(isLate)) continue;
      this.#sent.delete(number);
      this.#release(group);
      const error = sending.giveUp();
      for (const { answer } of group) answer.reject(error);
      seen();
    }
    this.#rest();
  }

  #keep(isKept: (one: Waiting) => boolean): void {
    this.#waiting = this.#waiting.filter((one) => {
      const kept = isKept(one);
      if (!kept) this.#waitingCharacters -= one.characters;
      return kept;
    });
  }

  #rest(): void {
    if (this.depth > 0) return;
    clearInterval(this.#sweep);
    this.#sweep = undefined;
    this.#onIdle?.();
  }
}

function eventsOf(change: Change): number {
  return change.kind === "append" ? change.drafts.length : 1;
}

function charactersOf(change: Change): number {
  if (change.kind !== "append") return 0;
  let characters = 0;
  for (const { topic, data } of change.drafts) characters += topic.length + data.length;
  return characters;
}

function notStored(why: string): BusError {
  return new NotSent("unavailable", why, true);
}

function tooLarge(limit: number): BusError {
  return new BusError("payload_too_large", `the cluster takes at most ${limit} bytes at a time`, {
    members: { limit },
  });
}
