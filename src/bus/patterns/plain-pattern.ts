import { hasOneEnd, type TopicShape } from "./topic-shape.ts";

/** A pattern of only text and stars. */
export interface PlainPattern extends TopicShape {
  /** The texts between the stars, in order. */
  readonly middles: readonly string[];
}

/** What a star does not match, as in Go. No topic contains one. */
const SLASH = "/";

/** The pattern of texts separated by stars; of one text, if there is no star. */
export function plainPatternOf([prefix = "", ...others]: readonly string[]): PlainPattern {
  const suffix = others.pop();
  if (suffix === undefined) return { prefix, middles: [], suffix: "", isWhole: true, isExact: true };
  const ends = { prefix, suffix, isWhole: false };
  const middles = others.filter((text) => text !== "");
  return { ...ends, middles, isExact: middles.length === 0 && hasOneEnd(ends) };
}

/** Whether every topic matches. */
export function isLoneStar({ prefix, middles, suffix, isWhole }: PlainPattern): boolean {
  return !isWhole && prefix === "" && middles.length === 0 && suffix === "";
}

/** Whether all of the topic matches, found without backtracking: the first position of a text is always good enough. */
export function matchesPlain({ prefix, middles, suffix, isWhole }: PlainPattern, topic: string): boolean {
  if (isWhole) return topic === prefix;
  const end = topic.length - suffix.length;
  if (end < prefix.length || !topic.startsWith(prefix) || !topic.endsWith(suffix)) return false;
  const slash = topic.indexOf(SLASH, prefix.length);
  if (slash !== -1 && slash < end) return matchesSlashed(middles, topic.slice(prefix.length, end));
  let from = prefix.length;
  for (const middle of middles) {
    const found = topic.indexOf(middle, from);
    from = found + middle.length;
    if (found === -1 || from > end) return false;
  }
  return true;
}

/** As above, for the text between the prefix and the suffix, where a star does not match every run. */
function matchesSlashed(middles: readonly string[], text: string): boolean {
  let from = 0;
  for (const middle of middles) {
    const found = text.indexOf(middle, from);
    if (found === -1 || text.slice(from, found).includes(SLASH)) return false;
    from = found + middle.length;
  }
  return !text.slice(from).includes(SLASH);
}
