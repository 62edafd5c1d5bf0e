import { EventDetail } from "../parts/event-detail.tsx";
import { MissingEvent } from "../parts/missing-event.tsx";
import { Loading } from "../parts/states.tsx";
import { useAnswer } from "../state/answer.ts";
import type { Parts } from "../state/parts.ts";
import { routeTo, routeToEvent } from "../state/route.ts";
import { rowOf } from "../state/rows.ts";

/** One event, by its address. */
export function SingleEventView({ session, id }: Parts & { readonly id: number }) {
  const [answer, again] = useAnswer(session, async (signal) => rowOf(await session.client.event(id, { signal })), [id]);
  return (
    <section class="view single">
      <h1 class="offscreen">Event {id}</h1>
      <nav class="pager" aria-label="Neighbours">
        <a href={routeTo("history")}>History</a>
        <span class="fill" />
        {id > 1 && <a href={routeToEvent(id - 1)}>← #{id - 1}</a>}
        <a href={routeToEvent(id + 1)}>#{id + 1} →</a>
      </nav>
      {answer.kind === "loading" && <Loading what={`event ${id}`} />}
      {answer.kind === "failed" && <MissingEvent error={answer.error} id={id} onRetry={again} />}
      {answer.kind === "there" && <EventDetail event={answer.value} url={session.url} hasToken={session.hasToken} />}
    </section>
  );
}
