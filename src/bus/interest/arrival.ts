import type { EventLog, TopicMatcher } from "../ports.ts";
import type { Interest, InterestTable } from "./interest.ts";

const everything: TopicMatcher = {
  matches: () => true,
  ranges: [{ prefix: "", isWhole: false }],
  isEverything: true,
};

/**
 * Calls back once, after the batch with which the history reaches the id has been delivered to all others. Returns a
 * function that stops waiting, which may be called at any time.
 */
export function whenReached(
  interests: Pick<InterestTable, "add" | "remove">,
  log: Pick<EventLog, "head">,
  id: number,
  onReached: () => void,
): () => void {
  const interest: Interest = {
    topics: everything,
    deliver: () => {},
    endBatch: () => {
      if (log.head < id) return;
      interests.remove(interest);
      onReached();
    },
  };
  interests.add(interest);
  return () => interests.remove(interest);
}
