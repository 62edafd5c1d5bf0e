import { useEffect, useRef, useState } from "preact/hooks";
import { EventDetail } from "../parts/event-detail.tsx";
import { DroppedNote, EventList } from "../parts/event-list.tsx";
import { Failure, Loading, Notice } from "../parts/states.tsx";
import { useEscape } from "../state/escape.ts";
import type { Parts, ViewProps } from "../state/parts.ts";
import { go, routeTo } from "../state/route.ts";
import type { EventRow, Row } from "../state/rows.ts";
import { useStores } from "../state/store.ts";
import { toCurl } from "../text/commands.ts";
import { count, counted } from "../text/format.ts";

/** The tail: events as they arrive, oldest at the top. */
export function LiveView({ tail, session, monitor, query }: ViewProps) {
  useStores(tail, monitor);
  const [selected, setSelected] = useState<EventRow | undefined>(undefined);
  const view = useRef<HTMLElement>(null);
  const { pattern, source } = query;
  useEffect(() => {
    if (pattern !== undefined || source !== undefined) tail.show({ pattern: pattern || "*", source: source ?? "" });
  }, [pattern, source]);
  const select = (row: Row) => {
    if (row.kind === "event") setSelected(row);
  };
  const close = () => {
    setSelected(undefined);
    view.current?.querySelector<HTMLElement>(".rows")?.focus();
  };
  useEscape(selected && close);
  return (
    <section class="view live" ref={view}>
      <h1 class="offscreen">Live events</h1>
      <div class="tools">
        <TailFilterForm key={`${tail.filter.pattern} ${tail.filter.source}`} tail={tail} />
        <PauseButton tail={tail} newest={monitor.latest?.events.last_id} />
        <span class="summary">{counted(tail.rows.length, "row")}</span>
      </div>
      <DroppedNote rows={tail.rows} historyHref={routeTo("history", { topic: tail.filter.pattern })} />
      <div class={`split ${selected ? "open" : ""}`}>
        {tail.rows.length > 0 ? (
          <EventList rows={tail.rows} label="Live events" selected={selected?.key} onSelect={select} isTail />
        ) : (
          <NoRows tail={tail} session={session} />
        )}
        {selected && <EventDetail event={selected} url={session.url} hasToken={session.hasToken} onClose={close} />}
      </div>
    </section>
  );
}

function TailFilterForm({ tail }: Pick<Parts, "tail">) {
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    if (!(event.currentTarget instanceof HTMLFormElement)) return;
    const form = new FormData(event.currentTarget);
    const filter = { pattern: String(form.get("pattern")).trim() || "*", source: String(form.get("source")).trim() };
    tail.show(filter);
    go(routeTo("live", filter));
  };
  return (
    <search class="search">
      <form class="filters" onSubmit={submit} aria-label="Filter live events">
        <label class="grow">
          Pattern
          <input
            name="pattern"
            defaultValue={tail.filter.pattern}
            placeholder="*"
            spellcheck={false}
            autocomplete="off"
          />
        </label>
        <label>
          Source
          <input
            name="source"
            defaultValue={tail.filter.source}
            placeholder="any"
            spellcheck={false}
            autocomplete="off"
          />
        </label>
        <button type="submit">Filter</button>
      </form>
    </search>
  );
}

function PauseButton({ tail, newest }: Pick<Parts, "tail"> & { readonly newest: number | undefined }) {
  const waiting = tail.isPaused && newest !== undefined ? Math.max(0, newest - (tail.lastId ?? 0)) : 0;
  return (
    <button
      type="button"
      class={tail.isPaused ? "primary" : ""}
      onClick={() => (tail.isPaused ? tail.resume() : tail.pause())}
      title={tail.isPaused ? "Continues from history: nothing is missed" : "Stops reading; nothing is lost"}
    >
      {tail.isPaused ? `Resume${waiting > 0 ? ` (up to ${count(waiting)} new)` : ""}` : "Pause"}
    </button>
  );
}

/** Explains why there is nothing to see. */
function NoRows({ tail, session }: Pick<Parts, "tail" | "session">) {
  const { connection, filter } = tail;
  if (session.wants !== undefined) return <Notice title="The server requires a token" />;
  if (tail.isPaused) {
    return (
      <Notice title="Paused">
        <p>Nothing is read until you resume; then reading continues from history, so nothing is missed.</p>
      </Notice>
    );
  }
  if (connection.kind === "ended" && connection.error) {
    return <Failure error={connection.error} onRetry={() => tail.retry()} />;
  }
  if (connection.kind === "waiting") return <Failure error={connection.error} onRetry={() => tail.retry()} />;
  if (connection.kind !== "open" || tail.isCatchingUp) return <Loading what="the newest events" />;
  const draft = { topic: "orders.created", source: "", data: '{"total":25}' };
  return (
    <Notice title="Nothing yet">
      <p>
        Waiting for events that match <code>{filter.pattern}</code>
        {filter.source !== "" && (
          <>
            {" "}
            from <code>{filter.source}</code>
          </>
        )}
        . Publish one:
      </p>
      <pre class="code">{toCurl(session.url, draft, session.hasToken)}</pre>
    </Notice>
  );
}
