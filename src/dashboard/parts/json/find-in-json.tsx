import { useEffect, useRef, useState } from "preact/hooks";
import { useTyped } from "../../state/typed.ts";
import { count } from "../../text/format.ts";

interface FindProps {
  /** What is looked for; empty: nothing. */
  readonly find: string;
  readonly onFind: (find: string) => void;
  /** Changes when the JSON is shown in another way, so that other places are marked. */
  readonly shown: string;
}

/** A field that marks its text in the JSON below it; Enter leads to the next place, Shift and Enter back. */
export function FindInJson({ find, onFind, shown }: FindProps) {
  const [text, type] = useTyped(find, onFind);
  const field = useRef<HTMLInputElement>(null);
  const [place, setPlace] = useState({ at: 0, of: 0 });
  const go = (by: number) => setPlace(showMark(field.current, place.at + by));
  useEffect(() => setPlace(find === "" ? { at: 0, of: 0 } : showMark(field.current, 0)), [find, shown]);
  return (
    <div class="find-json">
      <label>
        Find
        <input
          ref={field}
          value={text}
          type="search"
          onInput={({ currentTarget }) => type(currentTarget.value)}
          onKeyDown={(key) => {
            if (key.key !== "Enter" || text !== find) return;
            key.preventDefault();
            go(key.shiftKey ? -1 : 1);
          }}
          title="Enter: the next place; Shift and Enter: the one before"
          spellcheck={false}
          autocomplete="off"
        />
      </label>
      <span class="hint" role="status">
        {find !== "" && (place.of === 0 ? "not found" : `${count(place.at + 1)} of ${count(place.of)}`)}
      </span>
    </div>
  );
}

/** Shows one of the marks in the same panel, wrapping around at both ends. */
function showMark(field: HTMLElement | null, at: number): { readonly at: number; readonly of: number } {
  const marks = field?.closest(".detail")?.querySelectorAll(".json mark") ?? [];
  const of = marks.length;
  if (of === 0) return { at: 0, of };
  const index = ((at % of) + of) % of;
  for (const [number, mark] of [...marks].entries()) mark.classList.toggle("current", number === index);
  marks[index]?.scrollIntoView({ block: "nearest" });
  return { at: index, of };
}
