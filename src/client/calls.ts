import { EventBusError, isOfServer, isTemporary } from "./errors.ts";
import type { Http, HttpRequest, Parameters } from "./http.ts";
import { nextQuery } from "./paging.ts";
import { parseList, parseObject } from "./received-event.ts";
import { delayAfter } from "./reconnect.ts";
import { pause, within } from "./waiting.ts";

/**
 * One attempt may take this fraction of the call's time limit, so that an attempt that hangs leaves time for another.
 */
const TRY_SHARE = 0.5;

/** A response that was read to its end. */
export interface Answer {
  readonly body: string;
  readonly headers: Headers;
}

/** Requests with a short response: retried, within a time limit, after transient failures. */
export class Calls {
  readonly #http: Http;
  readonly #timeoutMs: number;
  readonly #closed: AbortSignal;

  constructor(http: Http, timeoutMs: number, closed: AbortSignal) {
    this.#http = http;
    this.#timeoutMs = timeoutMs;
    this.#closed = closed;
  }

  /** The body of the response; otherwise as `answer`. */
  async send(request: Omit<HttpRequest, "signal">, signal: AbortSignal | undefined): Promise<string> {
    return (await this.answer(request, signal)).body;
  }

  /** The object in the body, which must have this member; otherwise as `answer`. */
  async object<T>(
    request: Omit<HttpRequest, "signal">,
    member: keyof T & string,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    return parseObject<T>(await this.send(request, signal), member);
  }

  /** The array in the body, of objects which must have this member; otherwise as `answer`. */
  async list<T>(
    request: Omit<HttpRequest, "signal">,
    member: keyof T & string,
    signal: AbortSignal | undefined,
  ): Promise<T[]> {
    return parseList<T>(await this.send(request, signal), member);
  }

  /** The pages of such an array: requests the next one on demand. */
  async *pages<T>(
    request: { readonly path: string; readonly query: Parameters },
    member: keyof T & string,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<T[], void, undefined> {
    const { path } = request;
    for (let query: Parameters | undefined = request.query; query !== undefined; ) {
      const { body, headers } = await this.answer({ path, query }, signal);
      yield parseList<T>(body, member);
      query = nextQuery(headers.get("link"));
    }
  }

  /**
   * Returns the response. The request must be safe to send twice.
   *
   * Rejects with the error of the last attempt if another would be too late or could not help.
   */
  async answer(request: Omit<HttpRequest, "signal">, signal: AbortSignal | undefined): Promise<Answer> {
    // The wall clock, as it runs on while a device sleeps: the server may forget an idempotency key in that time.
    const deadlineMs = Date.now() + this.#timeoutMs;
    for (let failures = 1; ; failures++) {
      const { url } = this.#http;
      try {
        return await this.#try(request, Math.min(deadlineMs - Date.now(), this.#timeoutMs * TRY_SHARE), signal);
      } catch (error) {
        if (!(error instanceof EventBusError) || !isTemporary(error)) throw error;
        const isElsewhere = isOfServer(error) && failures < this.#http.size;
        if (isOfServer(error)) this.#http.leave(url);
        const delayMs = delayAfter(failures, Math.random(), isElsewhere ? 0 : error.retryAfterMs);
        if (Date.now() + delayMs >= deadlineMs) throw error;
        await within(this.#timeoutMs, [this.#closed, signal], (either) => pause(delayMs, either));
        if (Date.now() >= deadlineMs) throw error;
      }
    }
  }

  /** As `send`, but for a request that must not be sent twice. */
  async sendOnce(request: Omit<HttpRequest, "signal">, signal: AbortSignal | undefined): Promise<string> {
    return (await this.#try(request, this.#timeoutMs, signal)).body;
  }

  #try(request: Omit<HttpRequest, "signal">, limitMs: number, signal: AbortSignal | undefined): Promise<Answer> {
    return within(limitMs, [this.#closed, signal], async (either) => {
      const response = await this.#http.send({ ...request, signal: either });
      return { body: await response.text(), headers: response.headers };
    });
  }
}
