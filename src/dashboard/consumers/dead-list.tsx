import { useState } from "preact/hooks";
import type { DeadEvent } from "../../client/index.ts";
import { PageLink } from "../parts/page-link.tsx";
import { Failure, Loading, Notice, sentence } from "../parts/states.tsx";
import { TableHead } from "../parts/table-head.tsx";
import { TopicName } from "../parts/topic-name.tsx";
import { useAnswer } from "../state/answer.ts";
import type { WatchedConsumer } from "../state/consumer-watch.ts";
import { routeToConsumer } from "../state/route.ts";
import { count, counted, zone } from "../text/format.ts";
import { DeliveryDetail } from "./delivery-detail.tsx";
import { Moment } from "./moment.tsx";
import type { PageProps } from "./page-props.ts";
import { useWork } from "./work.ts";

/** Events per page. */
const PAGE = 100;

type ListProps = PageProps & { readonly consumer: WatchedConsumer };

/** The events that were given up, a page at a time. */
export function DeadList(props: ListProps) {
  const { session, consumers: watch, consumer, name, query } = props;
  const after = Number(query["after"] ?? 0);
  const [answer, again] = useAnswer(
    session,
    (signal) => session.client.consumers.deadPage(name, { after, limit: PAGE + 1, signal }),
    [name, after, consumer.dead],
  );
  const { failure, run, isBusy } = useWork(session, () => {
    again();
    watch.again();
  });
  if (answer.kind === "loading") return <Loading what="the events that were given up" />;
  if (answer.kind === "failed") return <Failure error={answer.error} onRetry={again} />;
  const page = answer.value.slice(0, PAGE);
  const selected = Number(query["event"] ?? 0);
  const next = answer.value.length > PAGE ? page.at(-1)?.id : undefined;
  if (page.length === 0 && selected === 0) return <NothingDead isFirst={after === 0} name={name} />;
  const calls = session.client.consumers;
  const retryOne = async (id: number) => {
    await calls.retryDead(name, { ids: [id] });
    const { event: _, ...others } = query;
    location.replace(routeToConsumer(name, others));
  };
  return (
    <>
      <nav class="pager" aria-label="What was given up">
        <span>{after === 0 ? counted(consumer.dead, "event") : `Events after #${after}`}, given up</span>
        <span class="fill" />
        {(after > 0 || next !== undefined) && (
          <>
            <PageLink words="First" to={after === 0 ? undefined : routeToConsumer(name, { tab: "dead" })} />
            <PageLink
              words="Next →"
              to={next === undefined ? undefined : routeToConsumer(name, { tab: "dead", after: next })}
            />
          </>
        )}
        <button type="button" disabled={isBusy} onClick={() => run(() => calls.retryDead(name))}>
          Retry all
        </button>
        <Sure words="Forget all" isBusy={isBusy} onSure={() => run(() => calls.deleteDead(name))} />
        <span class="wrong" role="status">
          {failure && sentence(failure)}
        </span>
      </nav>
      <div class={`split ${selected > 0 ? "open" : ""}`}>
        <DeadTable page={page} selected={selected} name={name} query={query} />
        {selected > 0 && (
          <DeliveryDetail
            key={selected}
            {...props}
            id={selected}
            dead={page.find(({ id }) => id === selected)}
            onRetry={() => run(() => retryOne(selected))}
          />
        )}
      </div>
    </>
  );
}

function NothingDead({ isFirst, name }: { readonly isFirst: boolean; readonly name: string }) {
  return (
    <Notice title="Nothing was given up">
      <p>
        {isFirst
          ? "An event is given up after its last attempt. It is kept here with the reason, and can be tried again."
          : "There is nothing on this page."}{" "}
        {!isFirst && <a href={routeToConsumer(name, { tab: "dead" })}>The first page</a>}
      </p>
    </Notice>
  );
}

interface SureProps {
  readonly words: string;
  readonly isBusy: boolean;
  readonly onSure: () => void;
}

/** A button that asks for confirmation. */
function Sure({ words, isBusy, onSure }: SureProps) {
  const [isAsking, setIsAsking] = useState(false);
  if (!isAsking) {
    return (
      <button type="button" onClick={() => setIsAsking(true)}>
        {words} …
      </button>
    );
  }
  return (
    <>
      <button type="button" class="danger" disabled={isBusy} onClick={onSure}>
        {words} now
      </button>
      <button type="button" class="quiet" onClick={() => setIsAsking(false)}>
        Keep
      </button>
    </>
  );
}

interface TableProps extends Pick<PageProps, "name" | "query"> {
  readonly page: readonly DeadEvent[];
  readonly selected: number;
}

function DeadTable({ page, selected, name, query }: TableProps) {
  return (
    <div class="deliveries dead">
      <table>
        <TableHead names={["Event", "Topic", "Last error", "Attempts", `Given up, ${zone}`]} />
        <tbody>
          {page.map(({ id, attempts, reason, dead_at, event }) => (
            <tr key={id} class={id === selected ? "chosen" : undefined}>
              <th scope="row">
                <a href={routeToConsumer(name, { ...query, event: id })}>#{id}</a>
              </th>
              <td>{event === null ? <i>no longer kept</i> : <TopicName topic={event.topic} />}</td>
              <td class="reason" title={reason}>
                {reason}
              </td>
              <td class="tries">{count(attempts)}</td>
              <td class="when">
                <Moment at={dead_at} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
