import { useEffect, useState } from "preact/hooks";
import { EventBusError } from "../../client/index.ts";
import type { Session } from "./session.ts";

export type Answer<T> =
  | { readonly kind: "loading" }
  | { readonly kind: "there"; readonly value: T }
  | { readonly kind: "failed"; readonly error: unknown };

/** Between two questions to a server that did not answer, in milliseconds. */
const RETRY_MS = 2000;

/**
 * Asks the server, again whenever one of `reasons` changes or there is another token, and again and again while it cannot
 * be reached. `again` asks once more; what was answered before stays until the next answer is there.
 */
export function useAnswer<T>(
  session: Session,
  ask: (signal: AbortSignal) => Promise<T>,
  reasons: readonly (string | number | undefined)[],
): readonly [answer: Answer<T>, again: () => void] {
  const [answer, setAnswer] = useState<Answer<T>>({ kind: "loading" });
  const [round, setRound] = useState(0);
  const again = () => setRound((before) => before + 1);
  useEffect(() => session.onChange(() => session.wants === undefined && again()), [session]);
  useEffect(() => {
    const controller = new AbortController();
    const { signal } = controller;
    ask(signal).then(
      (value) => signal.aborted || setAnswer({ kind: "there", value }),
      (error) => {
        if (signal.aborted || (error instanceof EventBusError && error.code === "closed")) return;
        session.note(error);
        setAnswer({ kind: "failed", error });
      },
    );
    return () => controller.abort();
  }, [...reasons, round]);
  useEffect(() => {
    if (answer.kind !== "failed" || !isUnreachable(answer.error)) return;
    const timer = setTimeout(again, RETRY_MS);
    return () => clearTimeout(timer);
  }, [answer]);
  return [answer, again];
}

/** Nothing came back at all. */
export function isUnreachable(error: unknown): boolean {
  return error instanceof EventBusError && error.status === undefined && error.code === "network";
}
