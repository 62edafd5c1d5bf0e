import type { Principal } from "../../bus/access/principal.ts";
import type { Standing } from "../../bus/delivery/follower.ts";
import type { SubscriberInfo } from "../../protocol/subscriber.ts";

/** A connected subscriber, as an operator sees it. */
export interface Subscribed {
  readonly transport: SubscriberInfo["transport"];
  readonly principal: Principal;
  /** Undefined when it is unknown. */
  readonly address: string | undefined;
  readonly patterns: readonly string[];
  readonly standing: Standing;
  readonly waitingBytes: number;
  /** In milliseconds since 1970. */
  readonly connectedMs: number;
}

/** The subscribers that are furthest behind, at most `limit`; among equals, those connected longest. */
export function furthestBehind(all: readonly Subscribed[], limit: number): SubscriberInfo[] {
  const found = all.map((one) => ({
    one,
    standing: one.standing,
    behind: one.standing.lag ?? Number.POSITIVE_INFINITY,
  }));
  found.sort((a, b) => (a.behind === b.behind ? a.one.connectedMs - b.one.connectedMs : b.behind - a.behind));
  return found.slice(0, limit).map(({ one, standing }) => infoOf(one, standing));
}

function infoOf(one: Subscribed, { state, lag }: Standing): SubscriberInfo {
  return {
    transport: one.transport,
    caller: one.principal.name,
    address: one.address ?? null,
    patterns: one.patterns,
    state,
    lag: lag ?? null,
    waiting_bytes: one.waitingBytes,
    connected_at: new Date(one.connectedMs).toISOString(),
  };
}
