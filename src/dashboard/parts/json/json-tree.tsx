import type { Node } from "jsonc-parser";
import { useMemo, useState } from "preact/hooks";
import { useChoice } from "../../state/route.ts";
import { count } from "../../text/format.ts";
import { nodesWith, treeOf } from "../../text/json.ts";
import { FindInJson } from "./find-in-json.tsx";
import { Marked } from "./marked.tsx";

/** Members shown at first, and how many are added on each request. */
const PAGE_MEMBERS = 100;
/** Down to this depth everything is expanded at first … */
const OPEN_DEPTH = 2;
/** … unless it is larger than this. */
const OPEN_MEMBERS = 12;
/** Characters of a closed branch that are shown; more do not fit beside its name. */
const PREVIEW_LENGTH = 80;
/** Longer JSON is shown as text: a tree of it would make the page slow. */
const MAX_TREE_TEXT = 1024 * 1024;

/**
 * JSON as a tree that can be opened and closed, or as text. Names and values are shown exactly as they were sent. What is
 * looked for in it, and whether it is shown as text, are in the address.
 */
export function JsonTree({ text }: { readonly text: string }) {
  const tree = useMemo(() => (text.length > MAX_TREE_TEXT ? undefined : treeOf(text)), [text]);
  const [find, look] = useChoice("find");
  const [shown, show] = useChoice("json");
  // A new key resets every branch: all of them open, or none.
  const [opening, setOpening] = useState<{ readonly key: number; readonly isOpen: boolean | undefined }>({
    key: 0,
    isOpen: undefined,
  });
  const found = useMemo(() => (tree && find !== "" ? nodesWith(tree, text, find) : undefined), [tree, text, find]);
  const isRaw = tree === undefined || shown === "raw";
  const openAll = (isOpen: boolean) => setOpening({ key: opening.key + 1, isOpen });
  return (
    <>
      {tree?.children !== undefined && (
        <div class="buttons small">
          {!isRaw && (
            <>
              <button type="button" class="choice" onClick={() => openAll(true)}>
                Expand all
              </button>
              <button type="button" class="choice" onClick={() => openAll(false)}>
                Collapse
              </button>
            </>
          )}
          <button type="button" class="choice" aria-pressed={isRaw} onClick={() => show(isRaw ? "" : "raw")}>
            Raw
          </button>
          <FindInJson find={find} onFind={look} shown={`${isRaw} ${opening.key}`} />
        </div>
      )}
      {isRaw ? (
        <pre class="json">
          <Marked text={text} find={find} />
        </pre>
      ) : (
        <div class="json" key={`${opening.key} ${find}`}>
          <Value node={tree} text={text} depth={0} isAllOpen={opening.isOpen} find={find} found={found} />
        </div>
      )}
    </>
  );
}

interface ValueProps {
  readonly node: Node;
  readonly text: string;
  readonly depth: number;
  /** The member's name as it was sent, quotes included; in an array its index. */
  readonly name?: string | undefined;
  /** How branches begin; undefined: those near the root open, unless they are large. */
  readonly isAllOpen: boolean | undefined;
  /** What is looked for; empty: nothing. */
  readonly find: string;
  /** The nodes that contain it: they begin open. */
  readonly found: ReadonlySet<Node> | undefined;
}

function Value(props: ValueProps) {
  const { node, text, name, find } = props;
  const members = node.children ?? [];
  if ((node.type === "object" || node.type === "array") && members.length > 0) return <Branch {...props} />;
  return (
    <div class="leaf">
      <Name name={name} find={find} />
      <span class={node.type}>
        <Marked text={textOf(node, text)} find={find} />
      </span>
    </div>
  );
}

function Branch({ node, text, depth, name, isAllOpen, find, found }: ValueProps) {
  const members = node.children ?? [];
  const [isOpen, setIsOpen] = useState(
    depth === 0 ||
      found?.has(node) ||
      (isAllOpen ?? (depth < OPEN_DEPTH && members.length <= OPEN_MEMBERS && found === undefined)),
  );
  const lastFound = found ? members.findLastIndex((member) => found.has(member)) : -1;
  const [limit, setLimit] = useState(Math.max(PAGE_MEMBERS, lastFound + 1));
  const [open, close] = node.type === "object" ? ["{", "}"] : ["[", "]"];
  return (
    <div class="branch">
      <button type="button" class="twist" aria-expanded={isOpen} onClick={() => setIsOpen(!isOpen)}>
        <Name name={name} find={find} />
        <span class="bracket">{open}</span>
        {!isOpen && (
          <span class="folded">
            {" "}
            {count(members.length)} {close} <span class="preview">{previewOf(node, text)}</span>
          </span>
        )}
      </button>
      {isOpen && (
        <>
          <div class="members">
            {members.slice(0, limit).map((member, index) => (
              <Member
                key={member.offset}
                node={member}
                text={text}
                depth={depth + 1}
                name={String(index)}
                isAllOpen={isAllOpen}
                find={find}
                found={found}
              />
            ))}
            {members.length > limit && (
              <button type="button" class="more" onClick={() => setLimit(limit + PAGE_MEMBERS)}>
                {count(members.length - limit)} more …
              </button>
            )}
          </div>
          <span class="bracket">{close}</span>
        </>
      )}
    </div>
  );
}

/** The children of an object are properties: a name and a value. */
function Member({ node, name: index, ...rest }: ValueProps) {
  const [name, value] = node.type === "property" ? (node.children ?? []) : [undefined, node];
  if (value === undefined) return null;
  return <Value {...rest} node={value} name={name ? textOf(name, rest.text) : index} />;
}

function Name({ name, find }: Pick<ValueProps, "name" | "find">) {
  if (name === undefined) return null;
  return (
    <>
      {name.startsWith('"') ? (
        <span class="name">
          <Marked text={name.slice(1, -1)} find={find} />
        </span>
      ) : (
        <span class="index">{name}</span>
      )}
      <span class="colon">: </span>
    </>
  );
}

/** The beginning of a branch that is closed. */
function previewOf(node: Node, text: string): string {
  const whole = textOf(node, text);
  const shown = whole.slice(0, PREVIEW_LENGTH).replace(/\s+/g, " ");
  return shown.length < whole.length ? `${shown}…` : shown;
}

function textOf({ offset, length }: Node, text: string): string {
  return text.slice(offset, offset + length);
}
