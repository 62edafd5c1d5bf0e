import { EventBusError } from "../../client/index.ts";
import { isUnreachable } from "./answer.ts";
import type { Session } from "./session.ts";
import { Store } from "./store.ts";

/** Time between two requests, in milliseconds. */
const POLL_MS = 2000;
/** The same after the server has rejected a request or has not responded. */
const FAILED_POLL_MS = 30_000;

/** Requests the same thing again and again from its first use on, so that the curves have no gaps. */
export abstract class Watch<Question, Answer> extends Store {
  protected readonly session: Session;
  readonly #loadShare: number;
  #question: Question | undefined;
  #answer: Answer | undefined;
  #error: EventBusError | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isAsking = false;
  #poll = new AbortController();

  /** A slow server is asked less often, so that these requests take at most the share `loadShare` of its time. */
  constructor(session: Session, loadShare: number) {
    super();
    this.session = session;
    this.#loadShare = loadShare;
    session.onChange(() => void this.#ask());
  }

  /** Undefined before the first response. After a change of the request, the old one until the next arrives. */
  get answer(): Answer | undefined {
    return this.#answer;
  }

  get error(): EventBusError | undefined {
    return this.#error;
  }

  /** There is no response to the current request yet; the response and the error belong to the one before it. */
  get isAsking(): boolean {
    return this.#isAsking;
  }

  /** Requests this from now on; at once if it differs from the current request. */
  ask(question: Question): void {
    if (this.#question !== undefined && this.isSame(question, this.#question)) return;
    this.#question = question;
    this.#isAsking = true;
    void this.#ask();
    this.changed();
  }

  /** Asks at once: something has changed. */
  again(): void {
    void this.#ask();
  }

  /** Asks at once, if the last request found no server and none is in progress. */
  retry(): void {
    if (isUnreachable(this.#error) && this.#timer !== undefined) void this.#ask();
  }

  protected abstract isSame(one: Question, other: Question): boolean;

  protected abstract load(question: Question, signal: AbortSignal): Promise<Answer>;

  async #ask(): Promise<void> {
    const question = this.#question;
    if (question === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#poll.abort();
    this.#poll = new AbortController();
    const { signal } = this.#poll;
    const startedMs = performance.now();
    try {
      const answer = await this.load(question, signal);
      if (signal.aborted) return;
      this.#answer = answer;
      this.#error = undefined;
    } catch (error) {
      if (!(error instanceof EventBusError)) throw error;
      this.session.note(error);
      // Another poll continues, with another request or another token.
      if (signal.aborted || error.code === "closed") return;
      this.#error = error;
    }
    this.#isAsking = false;
    this.#timer = setTimeout(() => void this.#ask(), this.#pauseMs(performance.now() - startedMs));
    this.changed();
  }

  /** The duration of a failure is no measure of the server's load: most of it is waiting for a server that is away. */
  #pauseMs(tookMs: number): number {
    return this.#error === undefined ? Math.max(POLL_MS, tookMs / this.#loadShare) : FAILED_POLL_MS;
  }
}
