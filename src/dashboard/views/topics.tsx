import { useEffect, useState } from "preact/hooks";
import { Sparkline } from "../parts/sparkline.tsx";
import { Failure, Loading, Notice, StaleBanner } from "../parts/states.tsx";
import { TopicName } from "../parts/topic-name.tsx";
import type { ViewProps } from "../state/parts.ts";
import { routeTo, routeToEvent } from "../state/route.ts";
import { useStores } from "../state/store.ts";
import { RATE_SLOTS, type TopicWatch, type WatchedTopic } from "../state/topic-watch.ts";
import { count, counted, dateAndClock, duration, measure } from "../text/format.ts";

/** More lines make the page slow; a filter finds the others. */
const MAX_LINES = 500;

const columns = {
  topic: { name: "Topic", compare: (a: WatchedTopic, b: WatchedTopic) => (a.topic < b.topic ? -1 : 1) },
  count: { name: "Events", compare: (a: WatchedTopic, b: WatchedTopic) => b.count - a.count },
  last: { name: "Last event", compare: (a: WatchedTopic, b: WatchedTopic) => b.last_id - a.last_id },
  speed: { name: "Rate, 2 min", compare: (a: WatchedTopic, b: WatchedTopic) => rateOf(b) - rateOf(a) },
} as const;
type Column = keyof typeof columns;

interface Order {
  readonly column: Column;
  readonly isReversed: boolean;
}

/** Every topic that history keeps an event of. */
export function TopicsView({ topics: watch }: ViewProps) {
  useStores(watch);
  useEffect(() => watch.start(), [watch]);
  return (
    <section class="view topics">
      <h1 class="offscreen">Topics</h1>
      <WatchedTopics watch={watch} />
    </section>
  );
}

function WatchedTopics({ watch: { topics, error } }: { readonly watch: TopicWatch }) {
  if (error?.status === 403) return <NotForThisToken />;
  if (topics === undefined) return error ? <Failure error={error} /> : <Loading what="topics" />;
  return (
    <>
      {error && <StaleBanner error={error} />}
      {topics.length === 0 ? <NoTopics /> : <FoundTopics topics={topics} />}
    </>
  );
}

function NoTopics() {
  return (
    <Notice title="No topics yet">
      <p>
        A topic is there as soon as an event is published to it. <a href={routeTo("publish")}>Publish one</a>
      </p>
    </Notice>
  );
}

function FoundTopics({ topics }: { readonly topics: readonly WatchedTopic[] }) {
  const [part, setPart] = useState("");
  const [order, setOrder] = useState<Order>({ column: "last", isReversed: false });
  const { compare } = columns[order.column];
  const found = topics.filter(({ topic }) => topic.includes(part)).sort(compare);
  const shown = (order.isReversed ? found.reverse() : found).slice(0, MAX_LINES);
  return (
    <>
      <div class="tools">
        <label class="find">
          Find
          <input value={part} onInput={(input) => setPart(input.currentTarget.value)} placeholder="part of a topic" />
        </label>
        <span class="summary">{counted(found.length, "topic")}</span>
      </div>
      {found.length > MAX_LINES && (
        <p class="dropped">The first {count(MAX_LINES)} are shown: find the others by a part.</p>
      )}
      {found.length === 0 ? (
        <Notice title="No topic has this in it" />
      ) : (
        <TopicTable topics={shown} order={order} onOrder={setOrder} />
      )}
    </>
  );
}

interface TableProps {
  readonly topics: readonly WatchedTopic[];
  readonly order: Order;
  readonly onOrder: (order: Order) => void;
}

function TopicTable({ topics, order, onOrder }: TableProps) {
  return (
    <div class="table">
      <table>
        <thead>
          <tr>
            {Object.entries(columns).map(([id, { name }]) => (
              <HeadCell key={id} column={id as Column} name={name} order={order} onOrder={onOrder} />
            ))}
            <th scope="col">
              <span class="offscreen">Show in</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {topics.map((topic) => (
            <TopicLine key={topic.topic} topic={topic} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function HeadCell({ column, name, order, onOrder }: Omit<TableProps, "topics"> & { column: Column; name: string }) {
  const isOrder = column === order.column;
  const isAscending = (column === "topic") !== order.isReversed;
  const sort = isOrder ? (isAscending ? "ascending" : "descending") : "none";
  return (
    <th scope="col" class={column} aria-sort={sort}>
      <button type="button" class="quiet" onClick={() => onOrder({ column, isReversed: isOrder && !order.isReversed })}>
        {name}
        <span aria-hidden="true">{isOrder ? (isAscending ? " ↑" : " ↓") : ""}</span>
      </button>
    </th>
  );
}

function TopicLine({ topic: { topic, count: events, last_id, last_at, rates } }: { readonly topic: WatchedTopic }) {
  const ageSeconds = (Date.now() - Date.parse(last_at)) / 1000;
  const rate = rates.at(-1);
  return (
    <tr>
      <th scope="row" class="whole">
        <a href={routeTo("live", { pattern: topic })} title={`${topic}, live`}>
          <TopicName topic={topic} />
        </a>
      </th>
      <td class="count">{count(events)}</td>
      <td class="last">
        <a href={routeToEvent(last_id)} title={dateAndClock(last_at)}>
          {duration(ageSeconds)} ago
        </a>
      </td>
      <td class="speed">
        <Sparkline values={rates} slots={RATE_SLOTS} />
        <span class="now">{rate === undefined ? "" : `${measure(rate)}/s`}</span>
      </td>
      <td class="links">
        <a href={routeTo("live", { pattern: topic })}>
          Live<span class="offscreen"> {topic}</span>
        </a>{" "}
        <a href={routeTo("history", { topic })}>
          History<span class="offscreen"> of {topic}</span>
        </a>
      </td>
    </tr>
  );
}

function NotForThisToken() {
  return (
    <Notice title="Topics are for administrators">
      <p>
        The server lists topics only for tokens that are <code>admin</code>. With this one you can still watch{" "}
        <a href={routeTo("live")}>live events</a> and search <a href={routeTo("history")}>history</a>, as far as it may
        see them.
      </p>
    </Notice>
  );
}

function rateOf({ rates }: WatchedTopic): number {
  return rates.reduce((sum, rate) => sum + rate, 0);
}
