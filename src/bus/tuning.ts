/** How much output may wait for one subscriber, and how much work is done for one at a time. */
export interface Tuning {
  /** Events read from history in one turn of the loop for one subscriber. */
  readonly pageEvents: number;
  /** Events that may wait for a loop that reads; with more, it is served from history. */
  readonly maxWaitingEvents: number;
  /** Bytes that may wait to be sent, or characters that wait for a loop; with more, history serves the subscriber. */
  readonly maxWaitingBytes: number;
  /** Characters of events delivered between two looks at what waits. */
  readonly checkCharacters: number;
  /** A WebSocket is sent the next page of history when no more bytes than this wait in it. */
  readonly resumeBytes: number;
  /** How often a stream in which nothing happens says that it is there, in milliseconds. */
  readonly keepAliveMs: number;
}

export const defaultTuning: Tuning = {
  // About a millisecond's work.
  pageEvents: 250,
  maxWaitingEvents: 1000,
  // A reader of 100 events a second takes seconds for so much, and a thousand such readers take 512 MiB.
  maxWaitingBytes: 512 * 1024,
  // A look costs 23 ns a socket; so much delivered to it costs a hundred times as much.
  checkCharacters: 16 * 1024,
  // Enough for the next page to be read and on its way before the network has nothing to do.
  resumeBytes: 64 * 1024,
  // Proxies cut connections that are silent for 30 or 60 seconds.
  keepAliveMs: 15_000,
};
