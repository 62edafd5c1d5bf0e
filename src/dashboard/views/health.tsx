import type { ComponentChildren } from "preact";
import { ClusterNodes } from "../parts/cluster-nodes.tsx";
import { Plot, type PlotProps } from "../parts/plot.tsx";
import { Failure, Loading, Notice, StaleBanner } from "../parts/states.tsx";
import { Subscribers } from "../parts/subscribers.tsx";
import type { Journal } from "../state/journal.ts";
import type { FullStats, Sample } from "../state/monitor.ts";
import type { Parts } from "../state/parts.ts";
import { routeTo, useChoice } from "../state/route.ts";
import { useStores } from "../state/store.ts";
import { bytes, clock, count, duration, measure } from "../text/format.ts";

/** By their name in the address: the minutes, and the label. The first one is the default. */
const SPANS = { "": [5, "5 min"], "15m": [15, "15 min"], "1h": [60, "1 h"] } as const;

/** The state of the server, as it reports it every two seconds. */
export function HealthView({ monitor, journal, session }: Parts) {
  useStores(monitor, journal);
  return (
    <section class="view health">
      <h1 class="offscreen">Health</h1>
      <div class="scroll">
        <Measurements monitor={monitor} session={session} />
        <Log journal={journal} />
      </div>
    </section>
  );
}

function Measurements({ monitor, session }: Pick<Parts, "monitor" | "session">) {
  const [chosen, choose] = useChoice("span");
  const [minutes] = Object.entries(SPANS).find(([span]) => span === chosen)?.[1] ?? SPANS[""];
  const { latest, error } = monitor;
  if (monitor.isForbidden) return <NotForThisToken />;
  if (latest === undefined) return error ? <Failure error={error} /> : <Loading what="the state of the server" />;
  return (
    <>
      {error && <StaleBanner error={error} />}
      <Facts stats={latest} />
      {latest.cluster && <ClusterNodes cluster={latest.cluster} />}
      <div class="buttons spans">
        {Object.entries(SPANS).map(([span, [length, words]]) => (
          <button
            key={span}
            type="button"
            class="choice"
            aria-pressed={length === minutes}
            onClick={() => choose(span)}
          >
            {words}
          </button>
        ))}
        <span class="hint">kept in this page for an hour</span>
      </div>
      <Plots samples={monitor.samples} minutes={minutes} />
      <Subscribers session={session} stats={latest} atMs={monitor.samples.at(-1)?.atMs ?? 0} />
    </>
  );
}

function Facts({ stats }: { readonly stats: FullStats }) {
  const { events, storage, retention, subscribers } = stats;
  const { websocket, stream } = subscribers;
  const { max_history, max_age_ms, max_bytes } = retention;
  const live = websocket.live + stream.live;
  const replay = websocket.replay + stream.replay;
  return (
    <dl class="figures">
      <Fact name="Events kept" value={count(events.count)}>
        {events.count > 0 && `#${count(events.first_id)} to #${count(events.last_id)}`}
      </Fact>
      <Fact name="Retention" value={max_history === null ? "no limit" : count(max_history)}>
        {max_history === null ? "of number" : "events"},{" "}
        {[max_age_ms && duration(max_age_ms / 1000), max_bytes && bytes(max_bytes)].filter(Boolean).join(", ") ||
          "any age and size"}
      </Fact>
      <Fact name="Storage" value={bytes(storage.used_bytes)}>
        file of {bytes(storage.file_bytes)}
      </Fact>
      <Fact name="Published" value={count(stats.published)}>
        since the server started
      </Fact>
      <Fact name="Delivered" value={stats.delivered === undefined ? undefined : count(stats.delivered)}>
        {stats.evictions !== undefined && `${count(stats.evictions)} slow readers moved to replay`}
      </Fact>
      <Fact name="Subscribers" value={count(live + replay)}>
        {count(live)} live, {count(replay)} in replay
      </Fact>
      <Fact name="Furthest behind" value={stats.replay && count(Math.max(stats.replay.near.lag, stats.replay.far.lag))}>
        {stats.replay && behindWords(stats.replay)}
      </Fact>
      <Fact name="Waiting for readers" value={stats.waiting && bytes(stats.waiting.bytes)}>
        {stats.waiting && `of ${bytes(stats.waiting.max_bytes)} at most`}
      </Fact>
      <Fact name="Gaps reported" value={stats.gaps === undefined ? undefined : count(stats.gaps)}>
        {stats.replays !== undefined && `${count(stats.replays)} replays`}
      </Fact>
      <Fact name="Uptime" value={duration(stats.uptime_seconds)}>
        version {stats.version}
      </Fact>
    </dl>
  );
}

/** How many subscribers are behind, and what share of a busy server's time they get. */
function behindWords({ near, far, share }: NonNullable<FullStats["replay"]>): string {
  if (near.subscribers + far.subscribers === 0) return "events: no subscriber is behind";
  return `events: ${count(near.subscribers)} near, ${count(far.subscribers)} far, share ${Math.round(share * 100)} %`;
}

function Fact({
  name,
  value,
  children,
}: {
  readonly name: string;
  readonly value: string | undefined;
  readonly children?: ComponentChildren;
}) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        {value ?? <span class="unreported">not reported</span>}
        <small>{value === undefined ? "by this server" : children}</small>
      </dd>
    </div>
  );
}

type Reading = (stats: FullStats) => number | null | undefined;

interface PlotPlan {
  readonly title: string;
  readonly format: (value: number) => string;
  readonly steps?: readonly number[];
  readonly lines: readonly (readonly [label: string, read: Reading, isDashed?: "dashed"])[];
}

const perSecond = (value: number) => `${measure(value)}/s`;
const milliseconds = (value: number) => `${measure(value)} ms`;

/** Steps that are whole numbers of KiB, MiB and so on. */
const POWERS_OF_TWO = Array.from({ length: 48 }, (_, power) => 2 ** power);

/** 1, 2, 5, 10 … */
const WHOLE = Array.from({ length: 12 }, (_, tens) => [1, 2, 5].map((one) => one * 10 ** tens)).flat();

const plans: readonly PlotPlan[] = [
  {
    title: "Throughput",
    format: perSecond,
    lines: [
      ["published", (stats) => stats.published_per_second],
      ["delivered", (stats) => stats.delivered_per_second],
    ],
  },
  {
    title: "Commits",
    format: perSecond,
    lines: [["commits", (stats) => stats.commits?.per_second]],
  },
  {
    title: "Commit duration",
    format: milliseconds,
    lines: [
      ["p50", (stats) => stats.commits?.commit_ms.p50],
      ["p99", (stats) => stats.commits?.commit_ms.p99],
      ["fsync p50", (stats) => stats.commits?.fsync_ms.p50],
      ["fsync p99", (stats) => stats.commits?.fsync_ms.p99],
    ],
  },
  {
    title: "Subscribers",
    format: count,
    steps: WHOLE,
    lines: [
      ["WebSocket", ({ subscribers: { websocket } }) => websocket.live + websocket.replay],
      ["stream", ({ subscribers: { stream } }) => stream.live + stream.replay],
      ["in replay", ({ subscribers: { websocket, stream } }) => websocket.replay + stream.replay],
    ],
  },
  {
    title: "Storage",
    format: bytes,
    steps: POWERS_OF_TWO,
    lines: [
      ["used", ({ storage }) => storage.used_bytes],
      ["file", ({ storage }) => storage.file_bytes],
      ["limit", ({ retention }) => retention.max_bytes, "dashed"],
    ],
  },
  {
    title: "Events kept",
    format: count,
    steps: WHOLE,
    lines: [
      ["kept", ({ events }) => events.count],
      ["limit", ({ retention }) => retention.max_history, "dashed"],
    ],
  },
];

const COLORS = ["--plot-1", "--plot-2", "--plot-3", "--plot-4"] as const;

/** A pause between responses longer than this, in milliseconds, interrupts the curves. */
const GAP_MS = 12_000;

/** A moment without a response has no `stats`. */
type Moment = Omit<Sample, "stats"> & { readonly stats: FullStats | undefined };

function withGaps(samples: readonly Sample[]): Moment[] {
  return samples.flatMap((sample, index) => {
    const before = samples[index - 1]?.atMs ?? sample.atMs;
    return sample.atMs - before > GAP_MS ? [{ atMs: before + 1, stats: undefined }, sample] : [sample];
  });
}

function Plots({ samples, minutes }: { readonly samples: readonly Sample[]; readonly minutes: number }) {
  const end = (samples.at(-1)?.atMs ?? 0) / 1000;
  const start = end - minutes * 60;
  const seen = withGaps(samples.filter(({ atMs }) => atMs / 1000 >= start));
  return (
    <div class="plots">
      {plans.map((plan) => (
        <PlanPlot key={plan.title} plan={plan} samples={seen} span={[start, end]} />
      ))}
    </div>
  );
}

function PlanPlot({
  plan,
  samples,
  span,
}: { readonly plan: PlotPlan; readonly samples: readonly Moment[] } & Pick<PlotProps, "span">) {
  const { title, format, steps } = plan;
  const latest = samples.at(-1)?.stats;
  // A rule that is off has no line; elsewhere null means that there is no measurement yet.
  const reported = plan.lines.filter(([, read, isDashed]) => {
    const value = latest && read(latest);
    return value !== undefined && !(isDashed && value === null);
  });
  if (reported.length === 0) {
    return (
      <figure class="plot">
        <figcaption>
          <h2>{title}</h2>
        </figcaption>
        <p class="unreported">Not reported by this server.</p>
      </figure>
    );
  }
  const lines = reported.map(([label, read, isDashed], index) => ({
    label,
    color: isDashed ? "--faint" : (COLORS[index % COLORS.length] ?? "--ink"),
    values: samples.map(({ stats }) => (stats && read(stats)) ?? null),
    isDashed: isDashed !== undefined,
  }));
  return (
    <Plot
      title={title}
      format={format}
      steps={steps}
      times={samples.map(({ atMs }) => atMs / 1000)}
      span={span}
      lines={lines}
    />
  );
}

/** What happened to this page's connection. */
function Log({ journal }: { readonly journal: Journal }) {
  return (
    <section class="log" aria-labelledby="log-title">
      <h2 id="log-title">Connection of this page</h2>
      <ol>
        {journal.entries.map(({ atMs, mood, words }, index) => (
          <li key={`${atMs} ${journal.entries.length - index}`} class={mood}>
            <time dateTime={new Date(atMs).toISOString()}>{clock(new Date(atMs).toISOString()).slice(0, 8)}</time>{" "}
            {words}
          </li>
        ))}
      </ol>
    </section>
  );
}

function NotForThisToken() {
  return (
    <Notice title="Health requires a monitor token">
      <p>
        Figures are for tokens that an admin creates with <code>eventbus token create NAME --monitor</code>, or{" "}
        <code>--admin</code>. With this one you can still watch <a href={routeTo("live")}>live events</a> and search{" "}
        <a href={routeTo("history")}>history</a>, as far as it may see them.
      </p>
    </Notice>
  );
}
