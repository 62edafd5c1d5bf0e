import { useEffect, useRef } from "preact/hooks";
import { EventBusError } from "../../client/index.ts";
import { patternHint } from "../../text/pattern-hint.ts";
import { DroppedNote, EventList } from "../parts/event-list.tsx";
import { SelectedEvent } from "../parts/selected-event.tsx";
import { Failure, Loading, Notice, sentence } from "../parts/states.tsx";
import { TextField } from "../parts/text-field.tsx";
import { useEscape } from "../state/escape.ts";
import type { Parts, ViewProps } from "../state/parts.ts";
import { go, routeTo } from "../state/route.ts";
import { useSelection } from "../state/selection.ts";
import { useStores } from "../state/store.ts";
import { toCurl } from "../text/commands.ts";
import { count, counted } from "../text/format.ts";

/**
 * The tail: events as they arrive, oldest at the top. The address says what is shown, and which event is open; while
 * one is open, the list holds still.
 */
export function LiveView({ tail, session, monitor, query }: ViewProps) {
  useStores(tail, monitor);
  const view = useRef<HTMLElement>(null);
  const { pattern = "*", source = "" } = query;
  useEffect(() => tail.show({ pattern, source }), [pattern, source]);
  const selection = useSelection("live", { session, query }, tail.rows);
  const close = () => {
    selection.select(undefined);
    view.current?.querySelector<HTMLElement>(".rows")?.focus();
  };
  useEscape(selection.id === undefined ? undefined : close);
  return (
    <section class="view live" ref={view}>
      <h1 class="offscreen">Live events</h1>
      <div class="tools">
        <TailFilterForm key={`${tail.filter.pattern} ${tail.filter.source}`} tail={tail} />
        <PauseButton tail={tail} newest={monitor.latest?.events.last_id} />
        <span class="summary">{counted(tail.rows.length, "row")}</span>
      </div>
      <DroppedNote rows={tail.rows} historyHref={routeTo("history", { topic: tail.filter.pattern })} />
      <div class={`split ${selection.id === undefined ? "" : "open"}`}>
        {tail.rows.length > 0 ? (
          <EventList rows={tail.rows} label="Live events" selected={selection.id} onSelect={selection.select} isTail />
        ) : (
          <NoRows tail={tail} session={session} />
        )}
        <SelectedEvent selection={selection} session={session} onClose={close} />
      </div>
    </section>
  );
}

function TailFilterForm({ tail }: Pick<Parts, "tail">) {
  const mistake = mistakeIn(tail);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    if (!(event.currentTarget instanceof HTMLFormElement)) return;
    const form = new FormData(event.currentTarget);
    const [pattern, source] = [String(form.get("pattern")).trim(), String(form.get("source")).trim()];
    go(routeTo("live", { pattern: pattern === "*" ? "" : pattern, source }));
  };
  return (
    <search class="search">
      <form class="filters" onSubmit={submit} aria-label="Filter live events">
        <TextField
          words="Pattern"
          name="pattern"
          defaultValue={tail.filter.pattern}
          placeholder="*"
          isWide
          isWrong={mistake !== undefined}
          mistakeId="mistake"
        />
        <TextField words="Source" name="source" defaultValue={tail.filter.source} placeholder="any" />
        <button type="submit">Filter</button>
        <span id="mistake" class="wrong" role="status">
          {mistake ?? patternHint(tail.filter.pattern)}
        </span>
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

/** What is wrong with the pattern; undefined when nothing is. */
function mistakeIn({ connection }: Parts["tail"]): string | undefined {
  const error = connection.kind === "ended" ? connection.error : undefined;
  if (!(error instanceof EventBusError) || error.code !== "pattern_invalid") return undefined;
  return sentence(error.message.replace(/^the query parameter \w+:? /, ""));
}

/** Explains why there is nothing to see. */
function NoRows({ tail, session }: Pick<Parts, "tail" | "session">) {
  const { connection, filter } = tail;
  if (session.wants !== undefined) return <Notice title="The server requires a token" />;
  if (mistakeIn(tail) !== undefined) {
    return (
      <Notice title="Correct the pattern">
        <p>
          <code>*</code> stands for any characters, <code>?</code> for one, <code>[a-z]</code> for one of a class,{" "}
          <code>{"{a,b}"}</code> for either.
        </p>
      </Notice>
    );
  }
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
