/** How many subscribers of one transport are up to date, and how many read from history. */
export interface SubscriberCounts {
  live: number;
  replay: number;
}

/** Subscribers who are behind. */
export interface ReplayCounts {
  subscribers: number;
  /** Events between the hindmost of them and the newest. */
  lag: number;
  /** Part of the time that they get while the server is busy, 0 to 1. */
  share: number;
}

/** Milliseconds that half, and 99 of 100, did not exceed. */
export interface Quantiles {
  p50: number | null;
  p99: number | null;
}

/** What `GET /api/stats` says of a server. */
export interface Stats {
  version: string;
  uptime_seconds: number;
  /** Events that history keeps, and the ids of the first and the last of them. */
  events: { count: number; first_id: number; last_id: number };
  /** Events since the server started. */
  published: number;
  /** Mean of the last ten seconds. */
  published_per_second: number;
  /** Events handed to subscribers since the server started, once for each of them. */
  delivered: number;
  /** Mean of the last ten seconds. */
  delivered_per_second: number;
  /** Holes that subscribers were told of. */
  gaps: number;
  /** Subscriptions that began in the past. */
  replays: number;
  /** Slow subscribers that were moved from live delivery to the history. */
  evictions: number;
  /** Transactions. All but `count` is of the last ten seconds, and `null` when there was none. */
  commits: {
    count: number;
    per_second: number;
    events_per_commit: number | null;
    commit_ms: Quantiles;
    /** Time of the COMMIT statement, in which SQLite waits for the disk. */
    fsync_ms: Quantiles;
  };
  subscribers: { websocket: SubscriberCounts; stream: SubscriberCounts };
  /** Subscribers who read from the history: near from memory, far from the disk. */
  replay: { near: ReplayCounts; far: ReplayCounts };
  /** What waits in the server for readers to take it, and its bound. */
  waiting: { bytes: number; max_bytes: number };
  storage: { used_bytes: number; file_bytes: number };
  /** The rules by which old events go; `null` is a rule that is off. */
  retention: {
    max_history: number | null;
    max_age_ms: number | null;
    max_bytes: number | null;
    prune_interval_ms: number;
  };
}
