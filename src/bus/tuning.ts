/** How much output may be waiting for one subscriber, and how much work is done for one at a time. */
export interface Tuning {
  /** Events read from history in one turn of the loop for one subscriber. */
  readonly pageEvents: number;
  /** Events that may be waiting for a loop of the library; with more, it is served from history. */
  readonly maxWaitingEvents: number;
  /**
   * Bytes that may be waiting to be sent, or characters waiting for a loop; with more, history serves the subscriber.
   */
  readonly maxWaitingBytes: number;
  /** Characters of events delivered between two checks of the waiting output. */
  readonly checkCharacters: number;
  /** A WebSocket is sent the next page of history when at most this many bytes are waiting in it. */
  readonly resumeBytes: number;
  /** How often an idle stream sends a keep-alive, in milliseconds. */
  readonly keepAliveMs: number;
}

export const defaultTuning: Tuning = {
  // About a millisecond's work.
  pageEvents: 250,
  maxWaitingEvents: 1000,
  // A reader of 100 events a second takes seconds for this much, and a thousand such readers take 512 MiB.
  maxWaitingBytes: 512 * 1024,
  // A check costs little beside the delivery of this many characters.
  checkCharacters: 16 * 1024,
  // Enough to read and send the next page before the network is idle.
  resumeBytes: 64 * 1024,
  // Proxies close connections that are silent for 30 or 60 seconds.
  keepAliveMs: 15_000,
};
