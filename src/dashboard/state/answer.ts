import { useEffect, useState } from "preact/hooks";
import { EventBusError } from "../../client/index.ts";
import type { Session } from "./session.ts";

export type Answer<T> =
  | { readonly kind: "loading" }
  | { readonly kind: "there"; readonly value: T }
  | { readonly kind: "failed"; readonly error: unknown };

/** Time between two requests to a server that does not respond, in milliseconds. */
const RETRY_MS = 2000;

/**
 * Asks the server: once, whenever one of `reasons` or the token changes, and repeatedly while the server cannot
 * be reached. `again` asks once more. The last response stays until the next one arrives.
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

/** There was no response at all. */
export function isUnreachable(error: unknown): boolean {
  return error instanceof EventBusError && error.status === undefined && error.code === "network";
}
