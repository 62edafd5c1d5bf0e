import { useState } from "preact/hooks";
import type { Session } from "../state/session.ts";

/** Something that a button does. */
export interface Work {
  /** Why the last one failed. */
  readonly failure: string | undefined;
  readonly isBusy: boolean;
  readonly run: (work: () => Promise<unknown>) => Promise<void>;
}

/** Runs calls one at a time; `onDone` follows each that succeeds. */
export function useWork(session: Session, onDone: () => void): Work {
  const [failure, setFailure] = useState<string | undefined>(undefined);
  const [isBusy, setIsBusy] = useState(false);
  const run = async (work: () => Promise<unknown>) => {
    if (isBusy) return;
    setIsBusy(true);
    try {
      await work();
      setFailure(undefined);
      onDone();
    } catch (error) {
      session.note(error);
      setFailure(error instanceof Error ? error.message : String(error));
    } finally {
      setIsBusy(false);
    }
  };
  return { failure, isBusy, run };
}
