import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";

const HEIGHT_PX = 150;

export interface Line {
  readonly label: string;
  /** The name of a colour in tokens.css. */
  readonly color: string;
  /** A value for each time; null where there is none. */
  readonly values: readonly (number | null)[];
  readonly isDashed?: boolean;
}

export interface PlotProps {
  readonly title: string;
  /** Seconds since 1970, ascending. */
  readonly times: readonly number[];
  /** The first and the last time of the axis. */
  readonly span: readonly [number, number];
  readonly lines: readonly Line[];
  readonly format: (value: number) => string;
  /** Steps that the axis may have; default 1, 2, 2.5, 5 and these times powers of ten. */
  readonly steps?: readonly number[] | undefined;
}

/**
 * Curves over time. The values at the pointer, or the newest ones, are shown above them as text. For the keyboard it is
 * a slider over the times.
 */
export function Plot({ title, times, span, lines, format, steps }: PlotProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const [pointed, setPointed] = useState<number | undefined>(undefined);
  const look = useLook();
  useEffect(() => {
    if (box.current === null) return;
    const made = new uPlot(
      optionsOf(box.current, { lines, format, steps }, setPointed),
      [[], ...lines.map(() => [])],
      box.current,
    );
    plot.current = made;
    const observer = new ResizeObserver(([entry]) => {
      if (entry) made.setSize({ width: entry.contentRect.width, height: HEIGHT_PX });
    });
    observer.observe(box.current);
    return () => {
      observer.disconnect();
      made.destroy();
    };
  }, [look, lines.length]);
  useEffect(() => {
    plot.current?.setData([[...times], ...lines.map(({ values }) => [...values])], false);
    plot.current?.setScale("x", { min: span[0], max: span[1] });
  });
  const newest = times.length - 1;
  const at = Math.min(pointed ?? newest, newest);
  const words = lines.map(({ label, values }) => `${label} ${shown(values[at], format)}`).join(", ");
  const point = (index: number | undefined) => {
    const time = index === undefined ? undefined : times[index];
    const left = time === undefined ? -1 : (plot.current?.valToPos(time, "x") ?? -1);
    plot.current?.setCursor({ left, top: left });
  };
  const press = (key: KeyboardEvent) => {
    const target = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: newest }[key.key];
    if (target === undefined || key.ctrlKey || key.metaKey || key.altKey) return;
    key.preventDefault();
    point(Math.min(newest, Math.max(0, target)));
  };
  return (
    <figure class="plot">
      <figcaption>
        <h2>{title}</h2>
        <ul>
          {lines.map(({ label, color, values }) => (
            <li key={label}>
              <i style={{ background: `var(${color})` }} />
              {label} <b>{shown(values[at], format)}</b>
            </li>
          ))}
        </ul>
      </figcaption>
      <div
        ref={box}
        class="canvas"
        role="slider"
        tabIndex={0}
        aria-label={`${title}, moment`}
        aria-valuemin={0}
        aria-valuemax={Math.max(0, newest)}
        aria-valuenow={Math.max(0, at)}
        aria-valuetext={`${timeOf(times[at] ?? span[1])}: ${words}`}
        onKeyDown={press}
        onBlur={() => point(undefined)}
      />
    </figure>
  );
}

function shown(value: number | null | undefined, format: (value: number) => string): string {
  return value === null || value === undefined ? "–" : format(value);
}

function optionsOf(
  box: HTMLElement,
  { lines, format, steps }: Pick<PlotProps, "lines" | "format" | "steps">,
  onPoint: (index: number | undefined) => void,
): uPlot.Options {
  const color = (name: string) => resolved(box, name);
  const axis = {
    stroke: color("--faint"),
    font: `11px ${getComputedStyle(box).fontFamily}`,
    grid: { stroke: color("--line"), width: 1 },
    ticks: { show: false },
  };
  return {
    width: box.clientWidth || 300,
    height: HEIGHT_PX,
    // At the right edge there is room for half a label.
    padding: [8, 24, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 } },
    scales: { y: { range: (_plot, _min, max) => [0, max > 0 ? max * 1.1 : 1] } },
    axes: [
      { ...axis, size: 24, values: (_plot, ticks) => ticks.map(timeOf), space: 56 },
      {
        ...axis,
        size: 62,
        values: (_plot, ticks) => ticks.map(format),
        space: 32,
        ...(steps ? { incrs: [...steps] } : {}),
      },
    ],
    series: [
      {},
      ...lines.map((line) => ({
        stroke: color(line.color),
        width: 1.5,
        points: { show: false },
        ...(line.isDashed ? { dash: [4, 4] } : {}),
      })),
    ],
    hooks: { setCursor: [({ cursor }) => onPoint(cursor.idx ?? undefined)] },
  };
}

function timeOf(seconds: number): string {
  const time = new Date(seconds * 1000);
  const parts = [time.getHours(), time.getMinutes(), ...(time.getSeconds() === 0 ? [] : [time.getSeconds()])];
  return parts.map((part) => String(part).padStart(2, "0")).join(":");
}

/** A canvas cannot use custom properties of CSS. */
function resolved(box: HTMLElement, name: string): string {
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  box.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

/** Changes when the colours of the page change. */
function useLook(): number {
  const [look, setLook] = useState(0);
  useEffect(() => {
    const change = () => setLook((before) => before + 1);
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    const observer = new MutationObserver(change);
    observer.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    scheme.addEventListener("change", change);
    return () => {
      observer.disconnect();
      scheme.removeEventListener("change", change);
    };
  }, []);
  return look;
}
