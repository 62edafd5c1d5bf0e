import type { WatchedConsumer } from "../state/consumer-watch.ts";
import { stateOf } from "./consumer-state.ts";

const MOODS = {
  paused: "",
  failing: "bad",
  behind: "wait",
  working: "good",
  "caught up": "good",
} as const;

/** The state of a consumer, in a word and a colour. */
export function StateBadge({ consumer }: { readonly consumer: WatchedConsumer }) {
  const state = stateOf(consumer);
  return <span class={`badge ${MOODS[state]}`}>{state}</span>;
}
