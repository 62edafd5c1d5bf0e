import type { Fetch, Token } from "./http.ts";

export interface ConnectOptions {
  /** Sent as `Authorization: Bearer`. A function is called before every request. Default: none. */
  token?: Token | undefined;
  /**
   * How long a call may take, including retries, in milliseconds, 1 to 540,000; default 30,000. A subscription has no
   * such limit.
   */
  timeoutMs?: number | undefined;
  /** A stream that receives nothing for this many milliseconds is dead; default 45,000, three missed keep-alives. */
  silenceMs?: number | undefined;
  /** Replaces the platform's `fetch`: for a proxy, a custom certificate, or a test. */
  fetch?: Fetch | undefined;
}

export interface CallOptions {
  /** Aborts the call, which then rejects with `aborted`; what was sent may have arrived all the same. */
  signal?: AbortSignal | undefined;
}

export interface PublishOptions extends CallOptions {
  /**
   * 1 to 255 bytes, remembered by the server for at least ten minutes: publishing the same again with the same key
   * returns the first event. Default: a random one for each call.
   */
  idempotencyKey?: string | undefined;
}

export interface PublishOneOptions extends PublishOptions {
  /** Identifies the publisher, at most 255 UTF-8 bytes; default `""`. */
  source?: string | undefined;
}

/** What a token allows. */
export interface NewTokenOptions extends CallOptions {
  /** Patterns of the topics that it may publish to; default none. */
  publish?: readonly string[] | undefined;
  /** Patterns of the topics that it may read events of; default none. */
  subscribe?: readonly string[] | undefined;
  /** Patterns of the names of the consumers that it may take from; default none. */
  consume?: readonly string[] | undefined;
  /** Default false. */
  admin?: boolean | undefined;
  /** Default: false. */
  monitor?: boolean | undefined;
  /** Default: never. */
  expiresAt?: Date | undefined;
}

/** An event to publish. */
export interface Envelope {
  topic: string;
  /** Any JSON value; default `null`. */
  data?: unknown | undefined;
  /** Default `""`. */
  source?: string | undefined;
}

/** The result of one call: events with consecutive ids. */
export interface PublishedRange {
  count: number;
  first_id: number;
  last_id: number;
}

/** A query for events. An event must match everything that is given. */
export interface HistoryQuery extends CallOptions {
  /** The maximum number of events to return, 1 to 10,000; default 50. */
  last?: number | undefined;
  /** A pattern, or several, one of which must match; default `*`. */
  topic?: string | readonly string[] | undefined;
  /** Earliest `created_at`, inclusive: a Date, an RFC 3339 time, or a duration ago such as `10m`. */
  from?: Date | string | undefined;
  /** Latest `created_at`, inclusive. */
  to?: Date | string | undefined;
  /** Only events with exactly this source. */
  source?: string | undefined;
  /** Only events with a smaller id. */
  before?: number | undefined;
  /** Only events with a greater id; returns the oldest of them, oldest first. */
  after?: number | undefined;
}

/** A query for pages of topics. */
export interface TopicPagesOptions extends CallOptions {
  /** Only topics with a name after this text, in code point order; it need not be a topic. Default: from the first. */
  after?: string | undefined;
  /** The maximum number of topics per page, 1 to 10,000; default 1,000. */
  limit?: number | undefined;
}

/** A request for the connected subscribers. */
export interface SubscribersOptions extends CallOptions {
  /** The maximum number of subscribers to return, 1 to 500; default 100. */
  limit?: number | undefined;
}
