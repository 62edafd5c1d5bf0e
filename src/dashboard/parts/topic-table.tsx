import type { TargetedEvent } from "preact";
import { useState } from "preact/hooks";
import { RATE_SLOTS } from "../state/rates.ts";
import { routeTo, routeToEvent } from "../state/route.ts";
import type { WatchedTopic } from "../state/topic-watch.ts";
import { count, dateAndClock, duration, measure } from "../text/format.ts";
import { Sparkline } from "./sparkline.tsx";
import { TopicName } from "./topic-name.tsx";

/** Lines in the document at first, and how many are added at a time: each of them costs layout whenever counts change. */
const LINES = 150;

const columns = {
  // They are sorted by name.
  topic: { name: "Topic", compare: () => 0 },
  count: { name: "Events", compare: (a: WatchedTopic, b: WatchedTopic) => b.count - a.count },
  last: { name: "Last event", compare: (a: WatchedTopic, b: WatchedTopic) => b.last_id - a.last_id },
  speed: { name: "Rate, 2 min", compare: (a: WatchedTopic, b: WatchedTopic) => rateOf(b) - rateOf(a) },
} as const;
type Column = keyof typeof columns;

/** The column by which the lines are sorted. */
export interface Order {
  readonly column: Column;
  readonly isReversed: boolean;
}

/** The order in the address: the column, after a minus if it is reversed. Undefined if there is no such column. */
export function orderOf(name: string): Order | undefined {
  const isReversed = name.startsWith("-");
  const column = (Object.keys(columns) as Column[]).find((one) => one === name.slice(isReversed ? 1 : 0));
  return column && { column, isReversed };
}

/** The reverse of `orderOf`. */
export function nameOf({ column, isReversed }: Order): string {
  return `${isReversed ? "-" : ""}${column}`;
}

/** The topics in this order. They MUST be sorted by name. */
export function sorted(topics: readonly WatchedTopic[], { column, isReversed }: Order): readonly WatchedTopic[] {
  const inOrder = topics.toSorted(columns[column].compare);
  return isReversed ? inOrder.reverse() : inOrder;
}

interface TableProps {
  readonly topics: readonly WatchedTopic[];
  readonly order: Order;
  readonly onOrder: (order: Order) => void;
  /** Shown until the next response arrives. */
  readonly isOld: boolean;
}

/** A line for each topic, more of them on scrolling; the column headers sort them. */
export function TopicTable({ topics, order, onOrder, isOld }: TableProps) {
  const [lines, setLines] = useState(LINES);
  const grow = ({ currentTarget: { scrollHeight, scrollTop, clientHeight } }: TargetedEvent<HTMLElement>) => {
    const isNearEnd = scrollHeight - scrollTop < 2 * clientHeight;
    if (isNearEnd && lines < topics.length) setLines(lines + LINES);
  };
  return (
    <div class={`table ${isOld ? "old" : ""}`} onScroll={grow}>
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
          {topics.slice(0, lines).map((topic) => (
            <TopicLine key={topic.topic} topic={topic} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

type HeadProps = Pick<TableProps, "order" | "onOrder"> & { readonly column: Column; readonly name: string };

function HeadCell({ column, name, order, onOrder }: HeadProps) {
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

function rateOf({ rates }: WatchedTopic): number {
  return rates.reduce((sum, rate) => sum + rate, 0);
}
