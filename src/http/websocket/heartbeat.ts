/** How often a peer is pinged, in milliseconds: proxies cut connections that are silent for 60 seconds. */
export const PING_MS = 30_000;
/** A peer that is silent for this many intervals is gone: it was pinged, and had another interval to answer. */
const SILENT_INTERVALS = 2;
/**
 * A pong comes after all that was sent before the ping, so a slow reader's comes late. It is given the time that a reader
 * of 4 KiB a second takes for what may be under way.
 */
const SLOWEST_BYTES_PER_MS = 4;
/** What may be under way: the buffers of both kernels hold some 4 MB; what is beyond waits in the server, which sees it. */
const MAX_UNDER_WAY_BYTES = 4 * 1024 * 1024;

/** Whether the peer of one WebSocket is alive. Messages sent to it do not show that; only messages from it do. */
export class Heartbeat {
  readonly #pingMs: number;
  #pingAtMs: number;
  #heardMs: number;
  #sentBytesThen = 0;
  /** What was sent between what was heard last and the first ping after it; undefined before that ping. */
  #underWayBytes: number | undefined;

  /** The first ping comes at a random time of the interval, so that peers who came together are not pinged together. */
  constructor(pingMs: number, nowMs: number) {
    this.#pingMs = pingMs;
    this.#pingAtMs = nowMs + Math.random() * pingMs;
    this.#heardMs = nowMs;
  }

  /** The peer did something; `sentBytes` is what it was sent in all. */
  heard(nowMs: number, sentBytes: number): void {
    this.#heardMs = nowMs;
    this.#sentBytesThen = sentBytes;
    this.#underWayBytes = undefined;
  }

  /** What to do now. A `ping` is asked for once an interval. */
  next(nowMs: number, sentBytes: number): "wait" | "ping" | "cut" {
    const underWayBytes = Math.min(this.#underWayBytes ?? 0, MAX_UNDER_WAY_BYTES);
    const patienceMs = SILENT_INTERVALS * this.#pingMs + underWayBytes / SLOWEST_BYTES_PER_MS;
    if (nowMs - this.#heardMs >= patienceMs) return "cut";
    if (nowMs < this.#pingAtMs) return "wait";
    this.#pingAtMs = nowMs + this.#pingMs;
    this.#underWayBytes ??= sentBytes - this.#sentBytesThen;
    return "ping";
  }
}
