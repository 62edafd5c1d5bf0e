/**
 * What a subscriber is doing: `live` is up to date, `catching_up` is reading history, `slow` is behind and has not
 * yet read what was sent to it, `starting` is looking for the event to begin with.
 */
export type SubscriberState = "live" | "catching_up" | "slow" | "starting";

/** One subscriber in `GET /api/subscribers`. */
export interface SubscriberInfo {
  transport: "websocket" | "stream";
  /** The token that it connected with, such as `token shop`; empty on an open bus. */
  caller: string;
  /** `null` when it is unknown. */
  address: string | null;
  patterns: readonly string[];
  state: SubscriberState;
  /** Events between its position and the newest one, whether they match or not; `null` while it is starting. */
  lag: number | null;
  /** Output that was sent to it and that it has not read yet, as far as the server knows. */
  waiting_bytes: number;
  /** RFC 3339. */
  connected_at: string;
}
