import { useEffect } from "preact/hooks";

/** Calls `close` when Escape is pressed anywhere in the page; undefined: nothing is open. */
export function useEscape(close: (() => void) | undefined): void {
  useEffect(() => {
    if (close === undefined) return;
    const press = (key: KeyboardEvent) => {
      if (key.key === "Escape") close();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, [close]);
}
