import { useRef } from "preact/hooks";
import { type Answer, useAnswer } from "./answer.ts";
import type { ViewProps } from "./parts.ts";
import { go, routeTo } from "./route.ts";
import { type EventRow, type Row, type RowSource, rowOf } from "./rows.ts";

/** The event that the address names beside the filters of a list, and how to name another one. */
export interface Selection {
  readonly id: number | undefined;
  /** Loading while the list does not have it and the server has not responded. */
  readonly event: Answer<EventRow>;
  readonly again: () => void;
  /** Back closes the first one; the next ones replace it. Without a row: closes it. */
  readonly select: (row: Row | undefined) => void;
}

/** Takes the event from the rows, and from the server if it is not, or no longer, among them. */
export function useSelection(
  view: "live" | "history",
  { session, query }: Pick<ViewProps, "session" | "query">,
  rows: RowSource | undefined,
): Selection {
  const id = /^\d{1,16}$/.test(query["event"] ?? "") ? Number(query["event"]) : undefined;
  const last = useRef<EventRow | undefined>(undefined);
  const found = id === undefined ? undefined : rows?.at(rows.indexOf(id));
  if (found?.kind === "event") last.current = found;
  const known = last.current?.key === id ? last.current : undefined;
  const [answer, again] = useAnswer(
    session,
    async (signal) => (id === undefined || known ? known : rowOf(await session.client.event(id, { signal }))),
    [id],
  );
  const select = (row: Row | undefined) => {
    if (row?.kind === "gap" || row?.key === id) return;
    const address = routeTo(view, { ...query, event: row?.key });
    if (id === undefined) go(address);
    else location.replace(address);
  };
  return { id, event: known ? { kind: "there", value: known } : eventIn(answer, id), again, select };
}

function eventIn(answer: Answer<EventRow | undefined>, id: number | undefined): Answer<EventRow> {
  if (answer.kind !== "there") return answer;
  // The answer for the previous event stays until the next one is there.
  return answer.value?.key === id && answer.value ? { kind: "there", value: answer.value } : { kind: "loading" };
}
