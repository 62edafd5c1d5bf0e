import type { ConsumerInfo } from "../../client/index.ts";
import { stateOf } from "./consumer-state.ts";

const MOODS = {
  paused: "wait",
  failing: "bad",
  behind: "wait",
  working: "good",
  "caught up": "good",
} as const;

/** The state of a consumer, in a word and a colour. */
export function StateBadge({ consumer }: { readonly consumer: ConsumerInfo }) {
  const state = stateOf(consumer);
  return <span class={`badge ${MOODS[state]}`}>{state}</span>;
}
