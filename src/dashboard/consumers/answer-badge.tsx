import type { PushAttempt } from "../../client/index.ts";

/** The status, or that there was none. */
export function AnswerBadge({ attempt: { status, error } }: { readonly attempt: PushAttempt }) {
  return (
    <span class={`badge ${error === null ? "good" : "bad"}`} title={error ?? undefined}>
      {status ?? "no answer"}
    </span>
  );
}
