/** How many subscribers of one transport are up to date, and how many read from history. */
export interface SubscriberCounts {
  live: number;
  replay: number;
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
  subscribers: { websocket: SubscriberCounts; stream: SubscriberCounts };
  storage: { used_bytes: number; file_bytes: number };
  /** The rules by which old events go; `null` is a rule that is off. */
  retention: {
    max_history: number | null;
    max_age_ms: number | null;
    max_bytes: number | null;
    prune_interval_ms: number;
  };
}
