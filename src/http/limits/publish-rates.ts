import type { Principal } from "../../bus/access/principal.ts";
import { BusError } from "../../bus/errors.ts";

/** Time in which an empty bucket fills, in milliseconds: it holds the events of one second. */
const FULL_AFTER_MS = 1000;
/**
 * Publishers remembered at a time, about 100 bytes each. If there are more within a second, the one that was silent
 * longest is forgotten, which gives it at most one more second's worth.
 */
const MAX_PUBLISHERS = 100_000;

interface Bucket {
  tokens: number;
  atMs: number;
}

/**
 * How many events each publisher may publish per second: a token bucket with a capacity of one second.
 *
 * A bucket that was not used for a second is full, like that of an unknown publisher. So only those of the last second
 * are kept, and no timer is needed: the map is in the order of the last use.
 */
export class PublishRates {
  /** Events that a publisher may publish per second, and also at once. */
  readonly perSecond: number;
  readonly #nowMs: () => number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(perSecond: number, nowMs: () => number = () => performance.now()) {
    this.perSecond = perSecond;
    this.#nowMs = nowMs;
  }

  /** Number of publishers that are remembered. */
  get size(): number {
    return this.#buckets.size;
  }

  /** Counts events of a publisher, at most `perSecond` of them. Throws `rate_limited`, and counts nothing, if they are too many. */
  take(publisher: string, count: number): void {
    const nowMs = this.#nowMs();
    this.#forget(nowMs);
    const tokens = this.#tokensOf(publisher, nowMs);
    const isPassed = tokens >= count;
    this.#buckets.set(publisher, { tokens: isPassed ? tokens - count : tokens, atMs: nowMs });
    if (!isPassed) throw this.#refusal();
  }

  /** Returns the content of the bucket, and removes it from the map: when set again, it is the newest. */
  #tokensOf(publisher: string, nowMs: number): number {
    const bucket = this.#buckets.get(publisher);
    if (bucket === undefined) return this.perSecond;
    this.#buckets.delete(publisher);
    return Math.min(this.perSecond, bucket.tokens + ((nowMs - bucket.atMs) * this.perSecond) / FULL_AFTER_MS);
  }

  #forget(nowMs: number): void {
    for (const [publisher, { atMs }] of this.#buckets) {
      if (nowMs - atMs < FULL_AFTER_MS && this.#buckets.size < MAX_PUBLISHERS) return;
      this.#buckets.delete(publisher);
    }
  }

  #refusal(): BusError {
    const limit = this.perSecond;
    const detail = `at most ${limit} events per second may be published: try again in a second`;
    return new BusError("rate_limited", detail, { members: { limit } });
  }
}

/**
 * The key under which publishes of a request or a WebSocket are counted: the name of a caller with a token, whatever
 * its address, and the peer's address for all others. Such a name contains a space, an address does not.
 */
export function rateKey({ name }: Principal, address: string | undefined): string {
  if (name !== "") return name;
  if (address === undefined) return "";
  return address.includes(":") ? networkOf(address) : address;
}

/** The /64 of an IPv6 address, as one machine has a whole /64. An IPv4 address in IPv6 form stays whole. */
function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  const [head = "", tail] = address.split("::");
  const first = head === "" ? [] : head.split(":");
  const last = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : 8 - first.length - last.length;
  const groups = [...first, ...Array<string>(Math.max(0, zeros)).fill("0"), ...last];
  return `${groups.slice(0, 4).join(":")}::/64`;
}
