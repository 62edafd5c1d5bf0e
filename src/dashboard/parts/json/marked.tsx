import { partsOf } from "../../text/json.ts";

/** A text with every match of `find` marked, whatever its case. */
export function Marked({ text, find }: { readonly text: string; readonly find: string }) {
  if (find === "") return <>{text}</>;
  return (
    <>{partsOf(text, find).map((part, index) => (index % 2 === 0 ? part : <mark key={String(index)}>{part}</mark>))}</>
  );
}
