/** What no topic contains, and how to write what was probably meant. */
const HINTS: Readonly<Record<string, string>> = {
  ",": "write {a,b} for either of two, or give several patterns",
  "|": "write {a,b} for either of two",
  "(": "write {a,b} for either of two",
  ")": "write {a,b} for either of two",
  "!": "write [^a-z] for any character but these; there is no negation of a whole pattern",
  "/": "the segments of a topic are separated by dots: a.b",
};

/**
 * Why no topic, or hardly any, can match a pattern although it is valid, and how to write it here; undefined if topics
 * can match. For a warning: other systems write patterns differently, and a subscriber to nothing receives nothing.
 */
export function patternHint(pattern: string): string | undefined {
  const wildcard = /(?:^|\.)[>#]$/.exec(pattern)?.[0];
  if (wildcard !== undefined) {
    const meant = `${pattern.slice(0, -1)}*`;
    return `${pattern} matches only a topic that ends in ${wildcard.slice(-1)}: for every topic below, write ${meant}`;
  }
  const found = certainCharacters(pattern);
  const strange = found.find((character) => character in HINTS || /\s/.test(character));
  if (strange !== undefined) {
    const hint = HINTS[strange] ?? "a topic has no white space";
    return `no topic can match ${pattern}: ${hint}`;
  }
  const text = found.join("");
  if (!/^\.|\.\.|\.$/.test(text)) return undefined;
  return `no topic can match ${pattern}: a topic has no empty segment`;
}

/** The characters that every match contains; a star stands for those that differ. */
function certainCharacters(pattern: string): string[] {
  const found: string[] = [];
  let depth = 0;
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at] ?? "";
    if (character === "\\") found.push(depth === 0 ? (pattern[++at] ?? "") : "*");
    else if (character === "[") {
      at = classEnd(pattern, at);
      found.push("*");
    } else if (character === "{") depth++;
    else if (character === "}" && depth > 0) {
      depth--;
      found.push("*");
    } else if (depth === 0) found.push(character);
  }
  return found;
}

/** The end of a class, or of the pattern if the class is not closed: the server reports that. */
function classEnd(pattern: string, start: number): number {
  for (let at = start + 1; at < pattern.length; at++) {
    if (pattern[at] === "\\") at++;
    else if (pattern[at] === "]" && at > start + 1) return at;
  }
  return pattern.length;
}
