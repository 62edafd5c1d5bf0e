import type {
  ConsumerInfo,
  ConsumerSettings,
  ConsumerWithSecret,
  DeadEvent,
  PushAttempt,
  PushSettings,
} from "../../protocol/consumer.ts";
import type { Calls } from "../calls.ts";
import type { Parameters } from "../http.ts";
import type { CallOptions } from "../options.ts";
import { nextQuery } from "../paging.ts";
import { parseJson } from "../received-event.ts";

const PATH = "/api/consumers";

/** The settings of a consumer: everything but `pattern` has a default, and `since` counts only for a new one. */
export type ConsumerOptions = Partial<Omit<ConsumerSettings, "push">> &
  Pick<ConsumerSettings, "pattern"> & {
    since?: string | number;
    /** Where the server posts the events; everything but `url` has a default. */
    push?: Partial<PushSettings> & Pick<PushSettings, "url">;
  };

/** Which of the events that were given up. Default: all. */
export interface DeadOptions extends CallOptions {
  ids?: readonly number[] | undefined;
}

/** Which page of the events that were given up. */
export interface DeadPageOptions extends CallOptions {
  /** Only events with a greater id. */
  after?: number | undefined;
  /** 1 to 1,000; default 100. */
  limit?: number | undefined;
}

/**
 * Sets up and inspects consumers. `list` needs a monitor token; `get`, `attempts`, and the calls for events that were
 * given up need a token with a `consume` pattern that matches; the others need an admin token.
 */
export class ConsumerCalls {
  readonly #calls: Calls;

  constructor(calls: Calls) {
    this.#calls = calls;
  }

  /**
   * Creates the consumer, or changes its settings; it keeps its place. The `secret` of a `push` is returned only when
   * it is new.
   */
  async set(
    name: string,
    { since, ...settings }: ConsumerOptions,
    options: CallOptions = {},
  ): Promise<ConsumerWithSecret> {
    const body = { ...settings, ...(since === undefined ? {} : { since: String(since) }) };
    return (await this.#ask("PUT", name, "", body, options)) as ConsumerWithSecret;
  }

  /** Every consumer, by name. */
  async list({ signal }: CallOptions = {}): Promise<ConsumerInfo[]> {
    return parseJson(await this.#calls.send({ path: PATH }, signal)) as ConsumerInfo[];
  }

  /** Settings and state. Rejects with `not_found`. */
  async get(name: string, { signal }: CallOptions = {}): Promise<ConsumerInfo> {
    return parseJson(await this.#calls.send({ path: pathOf(name) }, signal)) as ConsumerInfo;
  }

  /** Deletes its place, and what it has given up. */
  async delete(name: string, { signal }: CallOptions = {}): Promise<void> {
    await this.#calls.send({ method: "DELETE", path: pathOf(name) }, signal);
  }

  /** It hands out nothing until it is resumed. */
  async pause(name: string, options: CallOptions = {}): Promise<ConsumerInfo> {
    return (await this.#ask("POST", name, "/pause", undefined, options)) as ConsumerInfo;
  }

  async resume(name: string, options: CallOptions = {}): Promise<ConsumerInfo> {
    return (await this.#ask("POST", name, "/resume", undefined, options)) as ConsumerInfo;
  }

  /** Continues where a subscriber with this `since` would start. */
  async seek(name: string, since: string | number | Date, options: CallOptions = {}): Promise<ConsumerInfo> {
    const text = since instanceof Date ? since.toISOString() : String(since);
    return (await this.#ask("POST", name, "/seek", { since: text }, options)) as ConsumerInfo;
  }

  /** Signs what is pushed with a new secret, which is returned only here; the one before signs for another 24 hours. */
  async rotateSecret(name: string, options: CallOptions = {}): Promise<ConsumerWithSecret> {
    return (await this.#ask("POST", name, "/rotate-secret", undefined, options)) as ConsumerWithSecret;
  }

  /** The latest attempts to push, newest first. */
  async attempts(name: string, { signal }: CallOptions = {}): Promise<PushAttempt[]> {
    return parseJson(await this.#calls.send({ path: pathOf(name, "/attempts") }, signal)) as PushAttempt[];
  }

  /** At most `limit` (1 to 1,000) of what was given up, by id, after the id `after`. */
  async deadPage(name: string, { after, limit, signal }: DeadPageOptions = {}): Promise<DeadEvent[]> {
    const query = { after, limit };
    return parseJson(await this.#calls.send({ path: pathOf(name, "/dead"), query }, signal)) as DeadEvent[];
  }

  /** What was given up, by id; requests one page after another on demand. */
  async *dead(name: string, { signal }: CallOptions = {}): AsyncGenerator<DeadEvent, void, undefined> {
    let query: Parameters | undefined = {};
    while (query !== undefined) {
      const { body, headers } = await this.#calls.answer({ path: pathOf(name, "/dead"), query }, signal);
      yield* parseJson(body) as DeadEvent[];
      query = nextQuery(headers.get("link"));
    }
  }

  /** Retries what was given up, with all attempts; resolves with how many. */
  async retryDead(name: string, { ids, signal }: DeadOptions = {}): Promise<number> {
    return ((await this.#ask("POST", name, "/dead/retry", { ids }, { signal })) as { done: number }).done;
  }

  /** Forgets what was given up; resolves with how many. */
  async deleteDead(name: string, { ids, signal }: DeadOptions = {}): Promise<number> {
    return ((await this.#ask("DELETE", name, "/dead", { ids }, { signal })) as { done: number }).done;
  }

  async #ask(
    method: "PUT" | "POST" | "DELETE",
    name: string,
    suffix: string,
    body: object | undefined,
    { signal }: CallOptions,
  ): Promise<unknown> {
    const request = { method, path: pathOf(name, suffix), headers: { "content-type": "application/json" } } as const;
    const content = body === undefined ? {} : { body: JSON.stringify(body) };
    return parseJson(await this.#calls.send({ ...request, ...content }, signal));
  }
}

/** The path of a consumer, or of something below it. */
export function pathOf(name: string, suffix = ""): string {
  return `${PATH}/${encodeURIComponent(name)}${suffix}`;
}
