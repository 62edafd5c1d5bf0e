import { createScanner, type Node, type ParseError, parseTree, printParseErrorCode } from "jsonc-parser";

/** Where JSON text is wrong. */
export interface Fault {
  /** In UTF-16 code units from 0. */
  readonly offset: number;
  /** From 1. */
  readonly line: number;
  readonly column: number;
  readonly words: string;
}

/** RFC 8259 and nothing else: no comments, no trailing commas. */
const STRICT = { disallowComments: true, allowTrailingComma: false, allowEmptyContent: false };

/** The tree of a JSON text. Its nodes are offsets into the text, so values are shown exactly as they were sent. */
export function treeOf(text: string): Node | undefined {
  try {
    return parseTree(text, [], STRICT);
  } catch {
    // Nested too deeply for the stack.
    return undefined;
  }
}

/** Maximum number of nodes that are marked: more would make the page slow, and are not looked at one by one. */
const MAX_FOUND = 1000;

/**
 * The first 1,000 nodes, at most, with a name or a value that contains the text, whatever its case, and every node
 * around these.
 */
export function nodesWith(tree: Node, text: string, find: string): ReadonlySet<Node> {
  const found = new Set<Node>();
  const wanted = wantedIn(find);
  let left = MAX_FOUND;
  const look = (node: Node): boolean => {
    if (left <= 0) return false;
    const { children = [] } = node;
    // All of them, and not only up to the first one.
    const isInside = children.filter(look).length > 0;
    const isHere = children.length === 0 && text.slice(node.offset, node.offset + node.length).search(wanted) !== -1;
    if (isHere) left--;
    if (isHere || isInside) found.add(node);
    return isHere || isInside;
  };
  look(tree);
  return found;
}

/** The text in parts: every second one is a match. After 1,000 of them, the rest is one part. */
export function partsOf(text: string, find: string): string[] {
  const parts: string[] = [];
  let end = 0;
  for (const { 0: match, index } of text.matchAll(wantedIn(find))) {
    parts.push(text.slice(end, index), match);
    end = index + match.length;
    if (parts.length >= 2 * MAX_FOUND) break;
  }
  return [...parts, text.slice(end)];
}

/** Matches the text literally, whatever its case. */
function wantedIn(find: string): RegExp {
  return new RegExp(find.replaceAll(/[\\^$.*+?()[\]{}|/]/gu, "\\$&"), "giu");
}

/** The first fault of a JSON text; undefined if there is none. */
export function faultOf(text: string): Fault | undefined {
  const errors: ParseError[] = [];
  try {
    parseTree(text, errors, STRICT);
    const [first] = errors;
    if (first !== undefined) return faultAt(text, first.offset, wordsOf(first));
    JSON.parse(text);
    return undefined;
  } catch (error) {
    return faultAt(text, 0, error instanceof RangeError ? "nested too deeply to check here" : "not JSON");
  }
}

function faultAt(text: string, offset: number, words: string): Fault {
  const before = text.slice(0, offset).split("\n");
  return { offset, line: before.length, column: (before.at(-1)?.length ?? 0) + 1, words };
}

/** `CommaExpected` as `comma expected`. */
function wordsOf({ error }: ParseError): string {
  const words = printParseErrorCode(error).replaceAll(/(?<=[a-z])(?=[A-Z])/g, " ");
  return words.toLowerCase();
}

/** The same JSON text without white space between its tokens. */
export function compact(text: string): string {
  const scanner = createScanner(text, true);
  let result = "";
  for (;;) {
    scanner.scan();
    const [offset, length] = [scanner.getTokenOffset(), scanner.getTokenLength()];
    // Only the end of the text is a token of length 0.
    if (length === 0) return result;
    result += text.slice(offset, offset + length);
  }
}

/** Whether JavaScript's own values represent this JSON unchanged: no big number, no `1.10`, no duplicate key. */
export function survivesParsing(text: string): boolean {
  return JSON.stringify(JSON.parse(text)) === compact(text);
}
