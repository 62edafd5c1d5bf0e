/** Where a subscriber starts, parsed from `since` and `last`. */
export type Start =
  /** With the next event that is published. */
  | { readonly kind: "live" }
  /** After this event. */
  | { readonly kind: "after"; readonly id: number }
  /** With the first event of this time or later, in milliseconds since 1970. */
  | { readonly kind: "time"; readonly timeMs: number }
  /** With the first event published less than this many milliseconds ago. */
  | { readonly kind: "ago"; readonly durationMs: number }
  /** With the oldest event that is kept. */
  | { readonly kind: "all" }
  /** With the newest N events that match. */
  | { readonly kind: "last"; readonly count: number };
