import { useEffect } from "preact/hooks";

/** Calls back when Escape is pressed, wherever in the page, while there is something to be closed. */
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
