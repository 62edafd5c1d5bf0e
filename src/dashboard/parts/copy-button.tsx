import { useEffect, useState } from "preact/hooks";
import { copyText } from "../text/clipboard.ts";

/** How long "Copied" is shown, in milliseconds. */
const SAID_MS = 1500;

/** Copies a text, which is made when the button is pressed. */
export function CopyButton({
  label,
  text,
  title,
}: {
  readonly label: string;
  readonly text: () => string;
  readonly title?: string;
}) {
  const [said, setSaid] = useState<string | undefined>(undefined);
  useEffect(() => {
    if (said === undefined) return;
    const timer = setTimeout(() => setSaid(undefined), SAID_MS);
    return () => clearTimeout(timer);
  }, [said]);
  const copy = async () => setSaid((await copyText(text())) ? "Copied" : "Not copied: the browser does not allow it");
  return (
    <button type="button" class="copy" onClick={copy} title={title}>
      <span aria-live="polite">{said ?? label}</span>
    </button>
  );
}
