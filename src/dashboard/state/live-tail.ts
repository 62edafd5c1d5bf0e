import type { ConnectionState, Gap, Subscription } from "../../client/index.ts";
import type { Journal } from "./journal.ts";
import { rowOf, TailRows } from "./rows.ts";
import type { Session } from "./session.ts";
import { Store } from "./store.ts";

/** How many of the newest events the tail begins with, so that the page is not empty on a quiet bus. */
const START_EVENTS = 200;

export interface TailFilter {
  readonly pattern: string;
  /** The exact source; empty: any. Servers filter subscriptions by pattern only, so the page filters by source. */
  readonly source: string;
}

/**
 * The matching events, as they arrive. It is a cursor: pausing closes the connection and keeps the last id; resuming
 * reads from the history after it, only as fast as the page takes the events.
 */
export class LiveTail extends Store {
  readonly rows = new TailRows();
  readonly #session: Session;
  readonly #journal: Journal;
  #filter: TailFilter = { pattern: "*", source: "" };
  #subscription: Subscription | undefined;
  #lastId: number | undefined;
  #connection: ConnectionState = { kind: "connecting", failures: 0 };
  #isPaused = false;
  #isCatchingUp = true;

  /** Connects at once, and again with every new token. */
  constructor(session: Session, journal: Journal, filter: TailFilter) {
    super();
    this.#session = session;
    this.#journal = journal;
    this.#filter = filter;
    this.#subscribe();
    session.onChange(() => this.retry());
  }

  get filter(): TailFilter {
    return this.#filter;
  }

  get connection(): ConnectionState {
    return this.#connection;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** It is reading the events between the last one shown and now. */
  get isCatchingUp(): boolean {
    return this.#isCatchingUp;
  }

  /** The last id that was read, whether it matched or not; undefined before the first connection. */
  get lastId(): number | undefined {
    return this.#subscription?.lastId ?? this.#lastId;
  }

  /** Starts again, unless this is the filter already. */
  show(filter: TailFilter): void {
    if (filter.pattern === this.#filter.pattern && filter.source === this.#filter.source) return;
    this.#filter = filter;
    this.#unsubscribe();
    this.#lastId = undefined;
    this.rows.clear();
    if (this.#isPaused) this.#journal.add("plain", "Resumed with another filter.");
    this.#isPaused = false;
    this.#subscribe();
  }

  pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#unsubscribe();
    this.#journal.add("plain", `Paused after event ${this.#lastId ?? 0}.`);
    this.changed();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#journal.add("plain", `Resumed: continuing after event ${this.#lastId ?? 0}.`);
    this.#subscribe();
  }

  /** Connects again at once, from where it was; does nothing while it is connected or paused. */
  retry(): void {
    if (this.#isPaused || this.#connection.kind === "open") return;
    this.#unsubscribe();
    this.#subscribe();
  }

  #subscribe(): void {
    this.#isCatchingUp = true;
    this.#connection = { kind: "connecting", failures: 0 };
    const start = this.#lastId === undefined ? { last: START_EVENTS } : { since: this.#lastId };
    const subscription: Subscription = this.#session.client.subscribe(this.#filter.pattern, {
      ...start,
      onGap: (gap) => this.#addGap(gap),
      onCaughtUp: () => this.#catchUp(),
      onState: (state) => this.#connectionChanged(subscription, state),
    });
    this.#subscription = subscription;
    void this.#follow(subscription);
    this.changed();
  }

  #unsubscribe(): void {
    const subscription = this.#subscription;
    this.#lastId = this.lastId;
    this.#subscription = undefined;
    subscription?.close();
  }

  async #follow(subscription: Subscription): Promise<void> {
    try {
      for await (const event of subscription) {
        if (this.#subscription !== subscription) return;
        const { source } = this.#filter;
        if (source === "" || event.source === source) this.rows.push(rowOf(event));
        this.changed();
      }
    } catch (error) {
      // It is in the connection's state as well, which is what the page shows.
      this.#session.note(error);
    }
  }

  #addGap({ after, next }: Gap): void {
    this.rows.push({ kind: "gap", key: next - 0.5, after, next });
    this.#journal.add("bad", `Gap: ${gapWords(after, next)}`);
    this.changed();
  }

  #catchUp(): void {
    this.#isCatchingUp = false;
    this.changed();
  }

  #connectionChanged(subscription: Subscription, state: ConnectionState): void {
    if (this.#subscription !== subscription) return;
    const before = this.#connection;
    this.#connection = state;
    if (state.kind === "open") this.#journal.add("good", openWords(this.lastId));
    const isLost = state.kind === "waiting" || state.kind === "offline" || state.kind === "ended";
    if (isLost && before.kind === "open")
      this.#journal.add("bad", `Disconnected: ${state.error?.message ?? "closed"}.`);
    else if (state.kind === "ended" && state.error) this.#journal.add("bad", `Refused: ${state.error.message}.`);
    this.changed();
  }
}

/** Reports which events are missing, and why. */
export function gapWords(after: number, next: number): string {
  if (next <= after)
    return `event ${after} never existed here: the server has a different history, and continues with it.`;
  const [first, last] = [after + 1, next - 1];
  const which = first === last ? `event ${first} is` : `events ${first} to ${last} are`;
  return `${which} missing: retention has removed them.`;
}

function openWords(lastId: number | undefined): string {
  return lastId === undefined ? "Connected." : `Reconnected, continuing after event ${lastId}.`;
}
