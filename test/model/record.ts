import type { PatternText } from "./scenario.ts";

/** What a subscriber received, in order. */
export type Item =
  | { readonly kind: "event"; readonly id: number; readonly text: string }
  /** `floor` is the oldest id that was kept when the message came. */
  | { readonly kind: "gap"; readonly after: number; readonly next: number; readonly floor: number }
  | { readonly kind: "caught_up"; readonly id: number }
  /** A keep-alive of server-sent events: nothing up to this id is still to come. */
  | { readonly kind: "passed"; readonly id: number };

/** From when to when a pattern was wanted. Both ends are known only as far as the client can know them. */
export interface Wish {
  readonly pattern: PatternText;
  /** Events up to this id do not come for its sake; those after `surelyAfter` do; those between may. */
  readonly notUpTo: number;
  surelyAfter: number;
  /** Number of items that had come when its end was asked for, and when that was answered. */
  endAsked?: number;
  endAnswered?: number;
}

/** One connection of a subscriber, from its start to its end. */
export interface Session {
  readonly items: Item[];
  readonly wishes: Wish[];
  /** Nothing else may come, whatever is wanted. */
  readonly scope: PatternText;
  /**
   * Where in the history it starts: after an id not below `low` and not above `high`. A gap at the very start may
   * report more that was lost, from `gapLow` on.
   */
  readonly start: { readonly gapLow: number; readonly low: number; high: number };
  /** A replay was asked for. */
  readonly isReplay: boolean;
  /** It was read until everything had come that was published; otherwise it was cut off somewhere. */
  isDrained: boolean;
}
