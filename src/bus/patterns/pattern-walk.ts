import { holds } from "./character-set.ts";
import type { PatternBranch, PatternPart } from "./pattern-grammar.ts";

/** `places[i]` is 1 if the parts so far can have matched the first i characters of the topic, else 0. */
type Places = Uint8Array<ArrayBuffer>;

const SLASH = 0x2f;

/**
 * Whether a topic matches, found by following all paths through the pattern at once. Braces are not expanded and
 * nothing is tried twice, so the cost is at most the length of the pattern times the length of the topic, whatever they
 * contain. It has no start-up cost, but a regular expression is many times faster where one can be used.
 */
export function walkMatches(pattern: PatternBranch, topic: string): boolean {
  const codePoints = Array.from(topic, (character) => character.codePointAt(0) ?? 0);
  const places = new Uint8Array(codePoints.length + 1);
  places[0] = 1;
  walkBranch(pattern, codePoints, places);
  return places[codePoints.length] === 1;
}

function walkBranch(branch: PatternBranch, topic: readonly number[], places: Places): void {
  for (const part of branch.parts) walkPart(part, topic, places);
}

function walkPart(part: PatternPart, topic: readonly number[], places: Places): void {
  switch (part.kind) {
    case "character":
      // From the end, so that a place is read before it is overwritten.
      for (let i = topic.length; i > 0; i--) {
        places[i] = places[i - 1] === 1 && holds(part.set, topic[i - 1] ?? 0) ? 1 : 0;
      }
      places[0] = 0;
      break;
    case "star":
      for (let i = 1; i <= topic.length; i++) {
        if (places[i - 1] === 1 && topic[i - 1] !== SLASH) places[i] = 1;
      }
      break;
    case "choice":
      walkChoice(part.branches, topic, places);
  }
}

function walkChoice(branches: readonly PatternBranch[], topic: readonly number[], places: Places): void {
  const start = places.slice();
  places.fill(0);
  for (const branch of branches) {
    const reached = start.slice();
    walkBranch(branch, topic, reached);
    for (let i = 0; i < places.length; i++) {
      if (reached[i] === 1) places[i] = 1;
    }
  }
}
