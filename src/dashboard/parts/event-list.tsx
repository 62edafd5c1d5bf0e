import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { rawDataOf } from "../../client/received-event.ts";
import { gapWords } from "../state/live-tail.ts";
import type { Row, RowSource } from "../state/rows.ts";
import { clock, count, dateAndClock, zone } from "../text/format.ts";
import { sentence } from "./states.tsx";
import { TopicName } from "./topic-name.tsx";

/** Height of a row, in CSS pixels: one line, or two where there is no room for columns. As in list.css. */
const WIDE_ROW_PX = 28;
const NARROW_ROW_PX = 48;
/** A list narrower than this shows two lines a row, in CSS pixels. */
const NARROW_PX = 620;
/** Rows rendered beyond the visible ones, on either side, so that scrolling shows no blank space. */
const SPARE_ROWS = 8;
/** Characters of the data in a row; more does not fit the widest screen. */
const PREVIEW_LENGTH = 400;

export interface EventListProps {
  readonly rows: RowSource;
  readonly label: string;
  /** The key of the row that is shown in detail. */
  readonly selected: number | undefined;
  readonly onSelect: (row: Row) => void;
  /** Stays at the end while rows are added there, until the user scrolls away or selects a row. */
  readonly isTail?: boolean;
}

/**
 * A list of any length. Only the visible rows are in the document. Up, Down, Page Up, Page Down, Home and End
 * select.
 */
export function EventList({ rows, label, selected, onSelect, isTail = false }: EventListProps) {
  const list = useRef<HTMLDivElement>(null);
  const isHeld = selected !== undefined;
  const { size, scrollTop, rowPx, isAtEnd, follow, jumpToEnd } = useScrolling(list, rows, isTail && !isHeld);
  const first = Math.max(0, Math.floor(scrollTop / rowPx) - SPARE_ROWS);
  const last = Math.min(rows.length, Math.ceil((scrollTop + size.height) / rowPx) + SPARE_ROWS);
  const selectedIndex = selected === undefined ? -1 : rows.indexOf(selected);
  const select = (index: number) => {
    const row = rows.at(index);
    if (row === undefined || list.current === null) return;
    onSelect(row);
    reveal(list.current, index * rowPx, rowPx);
    // Before the scroll event, which comes after the next render.
    follow();
  };
  const press = (key: KeyboardEvent) => {
    const pageRows = Math.max(1, Math.floor(size.height / rowPx) - 1);
    const target = targetOf(key.key, selectedIndex, {
      first: Math.ceil(scrollTop / rowPx),
      pageRows,
      length: rows.length,
    });
    if (target === undefined || key.ctrlKey || key.metaKey || key.altKey) return;
    key.preventDefault();
    select(target);
  };
  const shown = useRef<number | undefined>(undefined);
  useLayoutEffect(() => {
    if (selectedIndex === -1 || list.current === null || shown.current === selected) return;
    shown.current = selected;
    reveal(list.current, selectedIndex * rowPx, rowPx);
  });
  const hasMoreBelow = rows.length * rowPx > scrollTop + size.height + rowPx / 2;
  const isShown = selectedIndex >= first && selectedIndex < last;
  return (
    <div class={`list ${rowPx === NARROW_ROW_PX ? "narrow" : "wide"}`}>
      <div class="heads" aria-hidden="true">
        <span class="id">Id</span>
        <span>Time, {zone}</span>
        <span>Topic</span>
        <span>Source</span>
        <span>Data</span>
      </div>
      <div
        class="rows"
        ref={list}
        role="listbox"
        tabIndex={0}
        aria-label={label}
        aria-activedescendant={isShown ? `row-${selected}` : undefined}
        onKeyDown={press}
        onScroll={follow}
      >
        <div class="all" role="presentation" style={{ height: `${rows.length * rowPx}px` }}>
          {range(first, last).map((index) => (
            <RowLine
              key={rows.at(index)?.key}
              row={rows.at(index)}
              isNarrow={rowPx === NARROW_ROW_PX}
              top={index * rowPx}
              place={{ index, length: rows.length }}
              isSelected={index === selectedIndex}
              onSelect={() => select(index)}
            />
          ))}
        </div>
      </div>
      {isTail && (isHeld ? hasMoreBelow : !isAtEnd) && (
        <button type="button" class="jump" onClick={jumpToEnd}>
          Newest ↓
        </button>
      )}
    </div>
  );
}

/** Where the list is scrolled to, and what keeps it there while rows are added and removed. */
function useScrolling(list: { readonly current: HTMLDivElement | null }, rows: RowSource, isTail: boolean) {
  const [size, setSize] = useState({ width: 1000, height: 600 });
  const [scrollTop, setScrollTop] = useState(0);
  const [isAtEnd, setIsAtEnd] = useState(true);
  const dropped = useRef(rows.dropped);
  const rowPx = size.width < NARROW_PX ? NARROW_ROW_PX : WIDE_ROW_PX;
  useLayoutEffect(() => {
    if (list.current === null) return;
    const observer = new ResizeObserver(([entry]) => {
      if (entry) setSize({ width: entry.contentRect.width, height: entry.contentRect.height });
    });
    observer.observe(list.current);
    return () => observer.disconnect();
  }, []);
  const follow = () => {
    if (list.current === null) return;
    setScrollTop(list.current.scrollTop);
    setIsAtEnd(list.current.scrollTop + list.current.clientHeight >= list.current.scrollHeight - rowPx / 2);
  };
  useLayoutEffect(() => {
    if (list.current === null) return;
    const lost = rows.dropped - dropped.current;
    dropped.current = rows.dropped;
    if (isTail && isAtEnd) list.current.scrollTop = list.current.scrollHeight;
    // The visible rows stay where they are while rows above them are removed.
    else if (lost > 0) list.current.scrollTop -= lost * rowPx;
  });
  const jumpToEnd = () => {
    if (list.current === null) return;
    list.current.scrollTop = list.current.scrollHeight;
    setIsAtEnd(true);
    list.current.focus();
  };
  // Its scroll event comes only after the next frame: until then, rows added at the end would be missing.
  const end = Math.max(0, rows.length * rowPx - size.height);
  return { size, scrollTop: isTail && isAtEnd ? end : scrollTop, rowPx, isAtEnd, follow, jumpToEnd };
}

interface RowLineProps {
  readonly row: Row | undefined;
  /** There is no room for a date, which the title of the time has. */
  readonly isNarrow: boolean;
  readonly top: number;
  readonly place: { readonly index: number; readonly length: number };
  readonly isSelected: boolean;
  readonly onSelect: () => void;
}

function RowLine({ row, isNarrow, top, place, isSelected, onSelect }: RowLineProps) {
  if (row === undefined) return null;
  const common = {
    role: "option" as const,
    id: `row-${row.key}`,
    "aria-selected": isSelected,
    "aria-setsize": place.length,
    "aria-posinset": place.index + 1,
    style: { transform: `translateY(${top}px)` },
    onClick: onSelect,
  };
  if (row.kind === "gap") {
    return (
      <div {...common} class="row gap">
        {sentence(gapWords(row.after, row.next))}
      </div>
    );
  }
  return (
    <div {...common} class="row">
      <span class="id">{row.key}</span>
      <time dateTime={row.createdAt} title={row.createdAt}>
        {isNarrow ? clock(row.createdAt) : dateAndClock(row.createdAt)}
      </time>
      <TopicName topic={row.topic} isOneLine />
      <span class="source">{row.source}</span>
      <span class="data">{rawDataOf(row.json).slice(0, PREVIEW_LENGTH)}</span>
    </div>
  );
}

/** The row that a key selects; undefined if it selects none. */
function targetOf(
  key: string,
  selected: number,
  view: { readonly first: number; readonly pageRows: number; readonly length: number },
): number | undefined {
  const last = view.length - 1;
  const within = (index: number) => Math.min(last, Math.max(0, index));
  const from = selected === -1 ? view.first - 1 : selected;
  if (key === "ArrowDown") return within(from + 1);
  if (key === "ArrowUp") return within(selected === -1 ? view.first : from - 1);
  if (key === "PageDown") return within(from + view.pageRows);
  if (key === "PageUp") return within(from - view.pageRows);
  if (key === "Home") return 0;
  if (key === "End") return last;
  return undefined;
}

function reveal(list: HTMLElement, top: number, rowPx: number): void {
  if (top < list.scrollTop) list.scrollTop = top;
  else if (top + rowPx > list.scrollTop + list.clientHeight) list.scrollTop = top + rowPx - list.clientHeight;
}

function range(first: number, end: number): number[] {
  return Array.from({ length: Math.max(0, end - first) }, (_, index) => first + index);
}

/** Reports that rows were removed at the top, and where they can be found. */
export function DroppedNote({ rows, historyHref }: { readonly rows: RowSource; readonly historyHref: string }) {
  if (rows.dropped === 0) return null;
  return (
    <p class="dropped">
      {count(rows.dropped)} older rows were removed from this page; <a href={historyHref}>history</a> has the events
      that are kept.
    </p>
  );
}
