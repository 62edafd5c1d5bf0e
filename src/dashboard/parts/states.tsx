import type { ComponentChildren } from "preact";
import type { EventBusError } from "../../client/index.ts";
import { isUnreachable } from "../state/answer.ts";

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

/** What went wrong, in the server's words if it sent any, and a button to try again. */
export function Failure({ error, onRetry }: { readonly error: unknown; readonly onRetry?: () => void }) {
  return (
    <Notice title={isUnreachable(error) ? "The server does not respond" : "The request failed"} mood="bad">
      <p>{error instanceof Error ? sentence(error.message) : "Something failed."}</p>
      {onRetry && (
        <button type="button" onClick={onRetry}>
          Try again
        </button>
      )}
    </Notice>
  );
}

/** Shown above content that may be out of date. */
export function StaleBanner({ error }: { readonly error: EventBusError }) {
  return <p class="banner">No response from the server: {sentence(error.message)} This is its last response.</p>;
}

/** Details begin with a lower-case letter, as elsewhere they follow a code or a name. */
export function sentence(words: string): string {
  return `${words.slice(0, 1).toUpperCase()}${words.slice(1)}${/[.!?]$/.test(words) ? "" : "."}`;
}
