import type { ComponentChildren } from "preact";
import { EventBusError } from "../../client/index.ts";

/** Instead of content: nothing yet, nothing found, not allowed, failed. */
export function Notice({
  title,
  mood = "plain",
  children,
}: {
  readonly title: string;
  readonly mood?: "plain" | "bad";
  readonly children?: ComponentChildren;
}) {
  return (
    <div class={`notice ${mood}`} role={mood === "bad" ? "alert" : undefined}>
      <h2>{title}</h2>
      {children}
    </div>
  );
}

export function Loading({ what }: { readonly what: string }) {
  return (
    <div class="notice loading" role="status">
      <span class="spinner" aria-hidden="true" />
      Loading {what} …
    </div>
  );
}

/** What went wrong, in the server's words if it has any; and a way to try again. */
export function Failure({ error, onRetry }: { readonly error: unknown; readonly onRetry?: () => void }) {
  const isUnreachable = error instanceof EventBusError && error.status === undefined && error.code === "network";
  return (
    <Notice title={isUnreachable ? "The server does not answer" : "That did not work"} mood="bad">
      <p>{error instanceof Error ? sentence(error.message) : "Something failed."}</p>
      {onRetry && (
        <button type="button" onClick={onRetry}>
          Try again
        </button>
      )}
    </Notice>
  );
}

/** A detail begins small, as it stands after a code or a name elsewhere. */
export function sentence(words: string): string {
  return `${words.slice(0, 1).toUpperCase()}${words.slice(1)}${/[.!?]$/.test(words) ? "" : "."}`;
}
