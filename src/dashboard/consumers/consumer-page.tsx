import type { ComponentChildren } from "preact";
import type { PushAttempt } from "../../client/index.ts";
import { Sparkline } from "../parts/sparkline.tsx";
import { Loading, StaleBanner } from "../parts/states.tsx";
import type { WatchedConsumer } from "../state/consumer-watch.ts";
import { RATE_SLOTS } from "../state/rates.ts";
import { routeTo, routeToConsumer } from "../state/route.ts";
import { count, counted, duration } from "../text/format.ts";
import { AttemptList } from "./attempt-list.tsx";
import { ConsumerActions } from "./consumer-actions.tsx";
import { ConsumerSettings } from "./consumer-settings.tsx";
import { isProbed, lagOf, stateOf, waitingOf } from "./consumer-state.ts";
import { rateOf } from "./consumer-table.tsx";
import { DeadList } from "./dead-list.tsx";
import { MissingConsumer } from "./notices.tsx";
import type { PageProps } from "./page-props.ts";
import { StateBadge } from "./state-badge.tsx";

/**
 * One consumer: its figures, what became of its deliveries, and what can be done with it. The children are shown below
 * its head.
 */
export function ConsumerPage(props: PageProps & { readonly children?: ComponentChildren }) {
  const { consumers: watch, name, children } = props;
  const { answer, error } = watch;
  const consumer = answer?.question.name === name ? answer.consumers[0] : undefined;
  const isGone = error?.status === 404 || error?.status === 403;
  return (
    <section class="view consumer">
      <div class="tools">
        <a href={routeTo("consumers")}>Consumers</a>
        <h1>{name}</h1>
        {consumer && !isGone && <StateBadge consumer={consumer} />}
        <span class="fill" />
        {consumer && !isGone && <ConsumerActions {...props} consumer={consumer} />}
      </div>
      {children}
      {error && (isGone || consumer === undefined) && (
        <MissingConsumer name={name} error={error} onRetry={() => watch.again()} />
      )}
      {error === undefined && consumer === undefined && <Loading what={`consumer ${name}`} />}
      {error && !isGone && consumer && <StaleBanner error={error} />}
      {consumer && !isGone && (
        <>
          <Explanation consumer={consumer} attempts={answer?.attempts ?? []} />
          <Figures consumer={consumer} />
          <Tabs {...props} consumer={consumer} />
        </>
      )}
    </section>
  );
}

interface ExplanationProps {
  readonly consumer: WatchedConsumer;
  readonly attempts: readonly PushAttempt[];
}

/** Why it is in this state, if that needs an explanation. */
function Explanation({ consumer, attempts }: ExplanationProps) {
  const { name, last_error, push } = consumer;
  const state = stateOf(consumer);
  const waiting = waitingOf(consumer);
  if (state === "paused") {
    const why = last_error === null ? "" : ` The last error: ${last_error}.`;
    return (
      <p class={last_error === null ? "explanation" : "explanation wait"}>
        Paused: {counted(waiting, "event")} will wait until it is resumed.{why}
      </p>
    );
  }
  if (state === "failing") {
    const probes = isProbed(attempts) ? " An endpoint that is down is probed, which counts as no attempt." : "";
    return (
      <p class="explanation bad">
        The last failure: {last_error ?? "unknown"}.{probes}
      </p>
    );
  }
  if (state !== "behind") return null;
  return (
    <p class="explanation wait">
      {counted(waiting, "event")} {waiting === 1 ? "waits" : "wait"}
      {push === null && consumer.in_flight === 0 ? (
        <>
          , and no worker takes them: <code>eventbus consume {name} --exec ./work.sh</code>
        </>
      ) : (
        "."
      )}
    </p>
  );
}

function Figures({ consumer }: { readonly consumer: WatchedConsumer }) {
  const { in_flight, retrying, dead, oldest_unacked_at, place, gaps, acknowledged, failed, rates } = consumer;
  const ageSeconds = oldest_unacked_at === null ? 0 : (Date.now() - Date.parse(oldest_unacked_at)) / 1000;
  const age = `the oldest is ${duration(ageSeconds)} old`;
  return (
    <dl class="figures">
      <Figure name="Lag" value={lagOf(consumer)}>
        after event {count(place)}
      </Figure>
      <Figure name="Rate" value={rateOf(consumer) || "–"}>
        <Sparkline values={rates} slots={RATE_SLOTS} />
      </Figure>
      <Figure name="In flight" value={count(in_flight)}>
        {in_flight === 0 ? "nothing is out" : age}
      </Figure>
      <Figure name="Retrying" value={count(retrying)} isBad={retrying > 0}>
        {retrying > 0 && in_flight === 0 ? age : `${count(failed)} failed since the start`}
      </Figure>
      <Figure name="Dead" value={count(dead)} isBad={dead > 0}>
        {dead === 0 ? "nothing was given up" : "given up"}
      </Figure>
      <Figure name="Acknowledged" value={count(acknowledged)}>
        {gaps === 0 ? "since the server started" : `since the start; ${counted(gaps, "gap")}`}
      </Figure>
    </dl>
  );
}

interface FigureProps {
  readonly name: string;
  readonly value: string;
  readonly isBad?: boolean;
  readonly children: ComponentChildren;
}

function Figure({ name, value, isBad = false, children }: FigureProps) {
  return (
    <div>
      <dt>{name}</dt>
      <dd class={isBad ? "wrong" : undefined}>
        {value}
        <small>{children}</small>
      </dd>
    </div>
  );
}

const TABS = ["attempts", "dead", "settings"] as const;
type Tab = (typeof TABS)[number];

function Tabs(props: PageProps & { readonly consumer: WatchedConsumer }) {
  const { name, query, consumer } = props;
  const current = TABS.find((tab) => tab === query["tab"]) ?? "attempts";
  const names: Record<Tab, string> = {
    attempts: consumer.push === null ? "Workers" : "Attempts",
    dead: consumer.dead === 0 ? "Dead" : `Dead (${count(consumer.dead)})`,
    settings: "Settings",
  };
  return (
    <>
      <nav class="tabs" aria-label={`About ${name}`}>
        {TABS.map((tab) => (
          <a
            key={tab}
            href={routeToConsumer(name, { tab: tab === "attempts" ? undefined : tab })}
            aria-current={tab === current ? "page" : undefined}
          >
            {names[tab]}
          </a>
        ))}
      </nav>
      {current === "attempts" && <AttemptList {...props} />}
      {current === "dead" && <DeadList {...props} />}
      {current === "settings" && <ConsumerSettings {...props} />}
    </>
  );
}
