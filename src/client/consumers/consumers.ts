import type {
  ConsumerInfo,
  ConsumerSettings,
  ConsumerWithSecret,
  DeadEvent,
  PushAttempt,
  PushSettings,
} from "../../protocol/consumer.ts";
import type { Calls } from "../calls.ts";
import type { CallOptions } from "../options.ts";
import { parseObject } from "../received-event.ts";

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
    return parseObject<ConsumerWithSecret>(await this.#ask("PUT", name, "", body, options), "name");
  }

  /** Every consumer, by name. */
  async list({ signal }: CallOptions = {}): Promise<ConsumerInfo[]> {
    return this.#calls.list<ConsumerInfo>({ path: PATH }, "name", signal);
  }

  /** Settings and state. Rejects with `not_found`. */
  async get(name: string, { signal }: CallOptions = {}): Promise<ConsumerInfo> {
    return this.#calls.object<ConsumerInfo>({ path: pathOf(name) }, "name", signal);
  }

  /** Deletes its place, and what it has given up. */
  async delete(name: string, { signal }: CallOptions = {}): Promise<void> {
    await this.#calls.send({ method: "DELETE", path: pathOf(name) }, signal);
  }

  /** It hands out nothing until it is resumed. */
  async pause(name: string, options: CallOptions = {}): Promise<ConsumerInfo> {
    return parseObject<ConsumerInfo>(await this.#ask("POST", name, "/pause", undefined, options), "name");
  }

  async resume(name: string, options: CallOptions = {}): Promise<ConsumerInfo> {
    return parseObject<ConsumerInfo>(await this.#ask("POST", name, "/resume", undefined, options), "name");
  }

  /** Continues where a subscriber with this `since` would start. */
  async seek(name: string, since: string | number | Date, options: CallOptions = {}): Promise<ConsumerInfo> {
    const text = since instanceof Date ? since.toISOString() : String(since);
    return parseObject<ConsumerInfo>(await this.#ask("POST", name, "/seek", { since: text }, options), "name");
  }

  /** Signs what is pushed with a new secret, which is returned only here; the one before signs for another 24 hours. */
  async rotateSecret(name: string, options: CallOptions = {}): Promise<ConsumerWithSecret> {
    return parseObject<ConsumerWithSecret>(await this.#ask("POST", name, "/rotate-secret", undefined, options), "name");
  }

  /** The latest attempts to push, newest first. */
  async attempts(name: string, { signal }: CallOptions = {}): Promise<PushAttempt[]> {
    return this.#calls.list<PushAttempt>({ path: pathOf(name, "/attempts") }, "event_id", signal);
  }

  /** At most `limit` (1 to 1,000) of what was given up, by id, after the id `after`. */
  async deadPage(name: string, { after, limit, signal }: DeadPageOptions = {}): Promise<DeadEvent[]> {
    const query = { after, limit };
    return this.#calls.list<DeadEvent>({ path: pathOf(name, "/dead"), query }, "id", signal);
  }

  /** What was given up, by id; requests one page after another on demand. */
  async *dead(name: string, { signal }: CallOptions = {}): AsyncGenerator<DeadEvent, void, undefined> {
    const request = { path: pathOf(name, "/dead"), query: {} };
    for await (const page of this.#calls.pages<DeadEvent>(request, "id", signal)) yield* page;
  }

  /** Retries what was given up, with all attempts; resolves with how many. */
  async retryDead(name: string, { ids, signal }: DeadOptions = {}): Promise<number> {
    return parseObject<{ done: number }>(await this.#ask("POST", name, "/dead/retry", { ids }, { signal }), "done")
      .done;
  }

  /** Forgets what was given up; resolves with how many. */
  async deleteDead(name: string, { ids, signal }: DeadOptions = {}): Promise<number> {
    return parseObject<{ done: number }>(await this.#ask("DELETE", name, "/dead", { ids }, { signal }), "done").done;
  }

  #ask(
    method: "PUT" | "POST" | "DELETE",
    name: string,
    suffix: string,
    body: object | undefined,
    { signal }: CallOptions,
  ): Promise<string> {
    const request = { method, path: pathOf(name, suffix), headers: { "content-type": "application/json" } } as const;
    const content = body === undefined ? {} : { body: JSON.stringify(body) };
    return this.#calls.send({ ...request, ...content }, signal);
  }
}

/** The path of a consumer, or of something below it. */
export function pathOf(name: string, suffix = ""): string {
  return `${PATH}/${encodeURIComponent(name)}${suffix}`;
}
