import type { PushAttempt } from "../../client/index.ts";
import { PageLink } from "../parts/page-link.tsx";
import { Notice } from "../parts/states.tsx";
import { TableHead } from "../parts/table-head.tsx";
import type { WatchedConsumer } from "../state/consumer-watch.ts";
import { routeToConsumer } from "../state/route.ts";
import { count, counted, zone } from "../text/format.ts";
import { AnswerBadge } from "./answer-badge.tsx";
import { DeliveryDetail } from "./delivery-detail.tsx";
import { Moment } from "./moment.tsx";
import type { PageProps } from "./page-props.ts";
import { Workers } from "./workers.tsx";

type ListProps = PageProps & { readonly consumer: WatchedConsumer };

/** The newest attempts to push; for a consumer without a webhook, how workers take from it. */
export function AttemptList(props: ListProps) {
  const { consumers: watch, consumer, name, query } = props;
  if (consumer.push === null) return <Workers {...props} />;
  const all = watch.answer?.attempts ?? [];
  const isFiltered = query["only"] === "failed";
  const attempts = isFiltered ? all.filter(({ error }) => error !== null) : all;
  const selected = Number(query["event"] ?? 0);
  return (
    <>
      <nav class="pager" aria-label="Which attempts">
        <span>
          {all.length === 0
            ? "No attempts since the server started"
            : counted(attempts.length, isFiltered ? "failed attempt" : "attempt")}
        </span>
        {all.length > 0 && <span class="span">the newest first; the last 100 are kept</span>}
        <span class="fill" />
        {all.length > 0 && (
          <>
            <PageLink words="All" to={isFiltered ? routeToConsumer(name, {}) : undefined} />
            <PageLink words="Failed" to={isFiltered ? undefined : routeToConsumer(name, { only: "failed" })} />
          </>
        )}
      </nav>
      <div class={`split ${selected > 0 ? "open" : ""}`}>
        {attempts.length === 0 ? (
          <Nothing isFiltered={isFiltered} />
        ) : (
          <AttemptTable attempts={attempts} selected={selected} name={name} query={query} />
        )}
        {selected > 0 && <DeliveryDetail key={selected} {...props} id={selected} />}
      </div>
    </>
  );
}

function Nothing({ isFiltered }: { readonly isFiltered: boolean }) {
  if (isFiltered) return <Notice title="No attempt has failed" />;
  return (
    <Notice title="No attempts yet">
      <p>The next event that matches is posted to the address, and listed here with the answer.</p>
    </Notice>
  );
}

interface TableProps extends Pick<PageProps, "name" | "query"> {
  readonly attempts: readonly PushAttempt[];
  readonly selected: number;
}

function AttemptTable({ attempts, selected, name, query }: TableProps) {
  return (
    <div class="deliveries">
      <table>
        <TableHead names={["Event", "Answer", "Attempt", "Took", `When, ${zone}`]} classes={{ Took: "took" }} />
        <tbody>
          {attempts.map((one) => (
            <tr
              key={`${one.at} ${one.event_id} ${one.attempt}`}
              class={one.event_id === selected ? "chosen" : undefined}
            >
              <th scope="row">
                <a href={routeToConsumer(name, { ...query, event: one.event_id })}>#{one.event_id}</a>
              </th>
              <td>
                <AnswerBadge attempt={one} />
              </td>
              <td>{one.attempt}</td>
              <td class="took">{count(one.duration_ms)} ms</td>
              <td>
                <Moment at={one.at} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
