/** How many subscribers of one transport are up to date, and how many read from history. */
export interface SubscriberCounts {
  live: number;
  replay: number;
}

/** Subscribers that are behind. */
export interface ReplayCounts {
  subscribers: number;
  /** Events between the one furthest behind and the newest event. */
  lag: number;
}

/** Milliseconds that half, and 99 of 100, did not exceed. */
export interface Quantiles {
  p50: number | null;
  p99: number | null;
}

/** The response of `GET /api/stats`. */
export interface Stats {
  version: string;
  uptime_seconds: number;
  /** Events that history keeps, and the ids of the first and the last of them. */
  events: { count: number; first_id: number; last_id: number };
  /** Events published since the server started. */
  published: number;
  /** Mean over the last ten seconds. */
  published_per_second: number;
  /** Events delivered to subscribers since the server started, counted once per subscriber. */
  delivered: number;
  /** Mean over the last ten seconds. */
  delivered_per_second: number;
  /** Gaps reported to subscribers. */
  gaps: number;
  /** Subscriptions that started in the past. */
  replays: number;
  /** Slow subscribers moved from live delivery to replay. */
  evictions: number;
  /** Transactions. Everything but `count` covers the last ten seconds, and is `null` if there were none. */
  commits: {
    count: number;
    per_second: number;
    events_per_commit: number | null;
    commit_ms: Quantiles;
    /** Duration of the COMMIT statement, in which SQLite waits for the disk. */
    fsync_ms: Quantiles;
  };
  subscribers: { websocket: SubscriberCounts; stream: SubscriberCounts };
  /**
   * Subscribers that are served from history: near ones from memory, far ones from disk. `share` is the share of a busy
   * event loop that near ones get, and far ones too, 0 to 1.
   */
  replay: { near: ReplayCounts; far: ReplayCounts; share: number };
  /** Output waiting in the server for readers, and its bound. */
  waiting: { bytes: number; max_bytes: number };
  storage: { used_bytes: number; file_bytes: number };
  /** The rules by which old events are removed; `null` means that the rule is off. */
  retention: {
    max_history: number | null;
    max_age_ms: number | null;
    max_bytes: number | null;
    prune_interval_ms: number;
  };
  /** The cluster that the server is a node of; omitted for a single node. */
  cluster?: ClusterStats;
}

/** What a node knows of its cluster. Entries are numbered by their place in the stream of NATS. */
export interface ClusterStats {
  name: string;
  node: string;
  /** The last entry that this node has adopted. */
  place: number;
  /** Entries that it has not adopted yet, as far as it knows. */
  behind: number;
  connected: boolean;
  /** Entries of this node that the stream has accepted since the start. */
  acknowledged: number;
  /** How often the connection to NATS was lost and re-established. */
  reconnects: number;
  /** The node that serves the consumers; `null` if none does. */
  consumers: string | null;
  /** The nodes that were heard lately, this one included. */
  nodes: { node: string; place: number; behind: number }[];
}
