import type { Fetch, Token } from "./http.ts";

export interface ConnectOptions {
  /** Sent as `Authorization: Bearer`. A function is called before every request. Default: none. */
  token?: Token | undefined;
  /**
   * How long a call may take, tries included, in milliseconds, 1 to 540,000; default 30,000. A subscription has no such
   * limit.
   */
  timeoutMs?: number | undefined;
  /** A stream in which nothing comes for this many milliseconds is dead; default 45,000, three missed keep-alives. */
  silenceMs?: number | undefined;
  /** What is used instead of the platform's `fetch`: for a proxy, a certificate of your own, a test. */
  fetch?: Fetch | undefined;
}

export interface CallOptions {
  /** Aborts the call, which then rejects with `aborted`; what was sent may have arrived all the same. */
  signal?: AbortSignal | undefined;
}

export interface PublishOptions extends CallOptions {
  /**
   * 1 to 255 bytes, remembered by the server for at least ten minutes: publishing the same again under the same key
   * gives the first event once more. Default: a random one for each call.
   */
  idempotencyKey?: string | undefined;
}

export interface PublishOneOptions extends PublishOptions {
  /** Who publishes, at most 255 UTF-8 bytes; default `""`. */
  source?: string | undefined;
}

/** What a token is good for. */
export interface NewTokenOptions extends CallOptions {
  /** Patterns of the topics that may be published to; default none. */
  publish?: readonly string[] | undefined;
  /** Patterns of the topics whose events may be seen; default none. */
  subscribe?: readonly string[] | undefined;
  /** Default false. */
  admin?: boolean | undefined;
  /** Default: never. */
  expiresAt?: Date | undefined;
}

/** An event to be published. */
export interface Envelope {
  topic: string;
  /** Any JSON value; left out it is `null`. */
  data?: unknown | undefined;
  /** Default `""`. */
  source?: string | undefined;
}

/** What was published by one call: events with consecutive ids. */
export interface PublishedRange {
  count: number;
  first_id: number;
  last_id: number;
}

/** What of the history is asked for. Everything that is given must hold. */
export interface HistoryQuery extends CallOptions {
  /** The most events to answer with, 1 to 10,000; default 50. */
  last?: number | undefined;
  /** A pattern, or several of which one must match; default `*`. */
  topic?: string | readonly string[] | undefined;
  /** Earliest `created_at`, inclusive: a Date, an RFC 3339 time, or a duration ago such as `10m`. */
  from?: Date | string | undefined;
  /** Latest `created_at`, inclusive. */
  to?: Date | string | undefined;
  /** The source, exactly. */
  source?: string | undefined;
  /** Only events with a smaller id. */
  before?: number | undefined;
  /** Only events with a greater id; then the oldest of them come, oldest first. */
  after?: number | undefined;
}

/** Which pages of topics are asked for. */
export interface TopicPagesOptions extends CallOptions {
  /** Only topics whose name comes after this text, in code point order; it need not be a topic. Default: from the first. */
  after?: string | undefined;
  /** The most topics on a page, 1 to 10,000; default 1,000. */
  limit?: number | undefined;
}
