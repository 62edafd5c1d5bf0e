/** An event on the wire: the JSON of a publish response, a history entry, a WebSocket frame, a stream's data. */
export interface EventMessage {
  /** 1, 2, 3 …, ascending in commit order, never reused. */
  id: number;
  /** 1–255 UTF-8 bytes of dot-separated segments. */
  topic: string;
  /** Any JSON value, as the publisher sent it. */
  data: unknown;
  /** Who published it, at most 255 UTF-8 bytes; `""` if not given. */
  source: string;
  /** UTC, RFC 3339 with milliseconds, set by the server; never decreases as `id` increases. */
  created_at: string;
}

/** What `GET /api/topics` returns for one topic. */
export interface TopicSummary {
  topic: string;
  /** Number of the topic's events that are kept. */
  count: number;
  last_id: number;
  last_at: string;
}
