/** How often a peer is pinged, in milliseconds: proxies close connections that are silent for 60 seconds. */
export const PING_MS = 30_000;
/** A peer that is silent for this many intervals is lost: it was pinged, and had another interval to respond. */
const SILENT_INTERVALS = 2;
/**
 * A pong comes after everything that was sent before its ping, so a slow reader's pong is late. It is allowed the time
 * that the output in flight takes at this rate, in bytes per millisecond.
 */
const SLOWEST_BYTES_PER_MS = 4;
/**
 * Bound of the output in flight: the buffers of both kernels hold some 4 MB. More than that waits in the server, which
 * sees it.
 */
const MAX_UNDER_WAY_BYTES = 4 * 1024 * 1024;

/** Whether the peer of one WebSocket is alive. Messages sent to it do not show that; only messages from it do. */
export class Heartbeat {
  readonly #pingMs: number;
  #pingAtMs: number;
  #heardMs: number;
  #sentBytesThen = 0;
  /** Bytes sent between the last message from the peer and the first ping after it; undefined before that ping. */
  #underWayBytes: number | undefined;

  /**
   * The first ping is at a random time in the interval, so that peers that connected together are not pinged together.
   */
  constructor(pingMs: number, nowMs: number) {
    this.#pingMs = pingMs;
    this.#pingAtMs = nowMs + Math.random() * pingMs;
    this.#heardMs = nowMs;
  }

  /** The peer has sent something; `sentBytes` is the total sent to it so far. */
  heard(nowMs: number, sentBytes: number): void {
    this.#heardMs = nowMs;
    this.#sentBytesThen = sentBytes;
    this.#underWayBytes = undefined;
  }

  /** What to do now. Returns `ping` once per interval. */
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
