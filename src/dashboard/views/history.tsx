import { useRef, useState } from "preact/hooks";
import { EventBusError, type HistoryQuery } from "../../client/index.ts";
import { patternHint } from "../../text/pattern-hint.ts";
import { EventList } from "../parts/event-list.tsx";
import { PageLink } from "../parts/page-link.tsx";
import { SelectedEvent } from "../parts/selected-event.tsx";
import { Failure, Loading, Notice, sentence } from "../parts/states.tsx";
import { TextField } from "../parts/text-field.tsx";
import { useAnswer } from "../state/answer.ts";
import { useEscape } from "../state/escape.ts";
import type { ViewProps } from "../state/parts.ts";
import { go, routeTo } from "../state/route.ts";
import { PageRows, rowOf } from "../state/rows.ts";
import { useSelection } from "../state/selection.ts";
import { count, counted, dateAndClock, fromLocalInput, toLocalInput, zone } from "../text/format.ts";

/** Events per page; one more is requested, to find out whether there is another page. */
const PAGE_EVENTS = 200;

const FILTERS = ["topic", "source", "from", "to", "before", "after"];

type Query = Readonly<Record<string, string>>;

interface Page {
  readonly rows: PageRows;
  /** The queries of the neighbouring pages; undefined if there is none. */
  readonly older: Query | undefined;
  readonly newer: Query | undefined;
}

/** The events in the history, newest first, a page at a time. The whole query is part of the address. */
export function HistoryView({ session, query }: ViewProps) {
  const { topic, source, from, to, before, after } = query;
  const filters = filtersOf(query);
  const [answer, again] = useAnswer(session, (signal) => load(session.client, filters, signal), [
    topic,
    source,
    from,
    to,
    before,
    after,
  ]);
  const view = useRef<HTMLElement>(null);
  const page = answer.kind === "there" ? answer.value : undefined;
  const selection = useSelection("history", { session, query }, page?.rows);
  const close = () => {
    selection.select(undefined);
    view.current?.querySelector<HTMLElement>(".rows")?.focus();
  };
  useEscape(selection.id === undefined ? undefined : close);
  const mistake = answer.kind === "failed" ? mistakeIn(answer.error) : undefined;
  return (
    <section class="view history" ref={view}>
      <h1 class="offscreen">History</h1>
      <div class="tools">
        <HistoryFilterForm key={JSON.stringify(filters)} query={filters} mistake={mistake} onSame={again} />
      </div>
      {page !== undefined && page.rows.length > 0 && <Pager page={page} query={filters} />}
      <div class={`split ${selection.id === undefined ? "" : "open"}`}>
        {answer.kind === "loading" && <Loading what="history" />}
        {mistake?.field === "after" && <OtherHistory />}
        {mistake && mistake.field !== "after" && <Notice title="Correct the search" />}
        {answer.kind === "failed" && !mistake && <Failed error={answer.error} query={filters} onRetry={again} />}
        {page?.rows.length === 0 && <NothingFound query={filters} />}
        {page !== undefined && page.rows.length > 0 && (
          <EventList
            rows={page.rows}
            label="Events, newest first"
            selected={selection.id}
            onSelect={selection.select}
          />
        )}
        <SelectedEvent selection={selection} session={session} onClose={close} />
      </div>
    </section>
  );
}

/** The part of the address that is the search: neither which event is open, nor how it is shown. */
function filtersOf(query: Query): Query {
  return Object.fromEntries(Object.entries(query).filter(([name]) => FILTERS.includes(name)));
}

/** A mistake in the search, and the field that has it. */
interface Mistake {
  readonly field: string | undefined;
  readonly words: string;
}

function mistakeIn(error: unknown): Mistake | undefined {
  if (!(error instanceof EventBusError) || error.status !== 400) return undefined;
  const words = sentence(error.message.replace(/^the query parameter \w+:? /, ""));
  return { field: error.problem?.parameter, words };
}

/** Ranges that count back from now, in the form that `from` of the API takes. */
const RANGES = {
  "": "Any time",
  "15m": "Last 15 minutes",
  "1h": "Last hour",
  "24h": "Last 24 hours",
  "7d": "Last 7 days",
};
const BETWEEN = "between";

interface FormProps {
  readonly query: Query;
  readonly mistake: Mistake | undefined;
  readonly onSame: () => void;
}

function HistoryFilterForm({ query, mistake, onSame }: FormProps) {
  const { from = "", to } = query;
  const [range, setRange] = useState(to === undefined && from in RANGES ? from : BETWEEN);
  const isBetween = range === BETWEEN;
  const isWrong = (field: string) => mistake?.field === field;
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    if (!(event.currentTarget instanceof HTMLFormElement)) return;
    const form = new FormData(event.currentTarget);
    const text = (name: string) => String(form.get(name) ?? "").trim();
    const times = isBetween ? { from: fromLocalInput(text("from")), to: fromLocalInput(text("to")) } : { from: range };
    const hash = routeTo("history", { topic: text("topic"), source: text("source"), ...times });
    if (hash === location.hash) onSame();
    else go(hash);
  };
  return (
    <search class="search">
      <form class="filters" onSubmit={submit} aria-label="Search history">
        <TextField
          words="Pattern"
          name="topic"
          defaultValue={query["topic"]}
          placeholder="*"
          isWide
          isWrong={isWrong("topic")}
          mistakeId="mistake"
        />
        <TextField words="Source" name="source" defaultValue={query["source"]} placeholder="any" />
        <label>
          When
          <select value={range} onChange={({ currentTarget }) => setRange(currentTarget.value)}>
            {Object.entries(RANGES).map(([value, words]) => (
              <option key={value} value={value}>
                {words}
              </option>
            ))}
            <option value={BETWEEN}>Between …</option>
          </select>
        </label>
        {isBetween && (
          <>
            <TimeField name="from" value={from} isWrong={isWrong("from")} />
            <TimeField name="to" value={to} isWrong={isWrong("to")} />
            <span class="hint">{zone}</span>
          </>
        )}
        <button type="submit">Search</button>
        <span id="mistake" class="wrong" role="status">
          {mistake?.words ?? patternHint(query["topic"] ?? "")}
        </span>
      </form>
    </search>
  );
}

interface TimeFieldProps {
  readonly name: "from" | "to";
  readonly value: string | undefined;
  readonly isWrong: boolean;
}

function TimeField({ name, value, isWrong }: TimeFieldProps) {
  return (
    <label class="time">
      {name === "from" ? "From" : "To"}
      <input
        name={name}
        type="datetime-local"
        step="1"
        defaultValue={toLocalInput(value)}
        aria-invalid={isWrong}
        aria-describedby="mistake"
      />
    </label>
  );
}

function Pager({ page, query }: { readonly page: Page; readonly query: Query }) {
  const [first, last] = [page.rows.at(0), page.rows.at(page.rows.length - 1)];
  const { before: _before, after: _after, ...filters } = query;
  return (
    <nav class="pager" aria-label="Pages">
      <span>{counted(page.rows.length, "event")}</span>
      {first?.kind === "event" && last?.kind === "event" && (
        <span class="span">
          {dateAndClock(last.createdAt).slice(0, 19)} to {dateAndClock(first.createdAt).slice(0, 19)} {zone}
        </span>
      )}
      <span class="fill" />
      <PageLink words="Newest" to={page.newer && routeTo("history", filters)} />
      <PageLink words="← Newer" to={page.newer && routeTo("history", page.newer)} />
      <PageLink words="Older →" to={page.older && routeTo("history", page.older)} />
    </nav>
  );
}

interface FailedProps {
  readonly error: unknown;
  readonly query: Query;
  readonly onRetry: () => void;
}

/** Retention may have removed the first events of this page meanwhile. */
function Failed({ error, query, onRetry }: FailedProps) {
  const oldest = error instanceof EventBusError && error.code === "cursor_expired" ? error.problem?.oldest : undefined;
  if (oldest === undefined) return <Failure error={error} onRetry={onRetry} />;
  return (
    <Notice title="Retention has removed the next events">
      <p>
        The oldest event kept is {count(oldest)}.{" "}
        <a href={routeTo("history", { ...query, after: oldest - 1 })}>Continue from there</a>
      </p>
    </Notice>
  );
}

/** An address that was kept names an event that was never published here. */
function OtherHistory() {
  return (
    <Notice title="This page is not in the history">
      <p>
        <a href={routeTo("history")}>Show all events</a>
      </p>
    </Notice>
  );
}

function NothingFound({ query }: { readonly query: Query }) {
  const isFiltered = Object.keys(query).length > 0;
  return (
    <Notice title={isFiltered ? "No event matches" : "History is empty"}>
      <p>
        {isFiltered
          ? "No event in the history matches all of these filters, or this token may not read it."
          : "Events stay here from the moment they are published until retention removes them."}
      </p>
      <p>
        {isFiltered ? <a href={routeTo("history")}>Show all events</a> : <a href={routeTo("publish")}>Publish one</a>}
      </p>
    </Notice>
  );
}

async function load(
  client: { history(query: HistoryQuery): Promise<readonly Parameters<typeof rowOf>[0][]> },
  query: Query,
  signal: AbortSignal,
): Promise<Page> {
  const { before, after, topic, source, from, to } = query;
  const asked = { topic, source: source || undefined, from, to, before: idOf(before), after: idOf(after), signal };
  const found = await client.history({ ...asked, last: PAGE_EVENTS + 1 });
  const hasMore = found.length > PAGE_EVENTS;
  // With `after`, the oldest events come first.
  const events = after === undefined ? found.slice(0, PAGE_EVENTS) : found.slice(0, PAGE_EVENTS).toReversed();
  const [newest, oldest] = [events.at(0), events.at(-1)];
  const { before: _before, after: _after, ...filters } = query;
  const isOlder = after === undefined ? hasMore : true;
  const isNewer = after === undefined ? before !== undefined : hasMore;
  return {
    rows: new PageRows(events.map(rowOf)),
    older: isOlder && oldest ? { ...filters, before: String(oldest.id) } : undefined,
    newer: isNewer && newest ? { ...filters, after: String(newest.id) } : undefined,
  };
}

/** The server reports what is wrong with an address that was edited by hand. */
function idOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}
