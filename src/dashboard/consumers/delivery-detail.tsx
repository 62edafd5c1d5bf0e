import type { DeadEvent, PushAttempt } from "../../client/index.ts";
import { EventDetail } from "../parts/event-detail.tsx";
import { MissingEvent } from "../parts/missing-event.tsx";
import { Loading, sentence } from "../parts/states.tsx";
import { useAnswer } from "../state/answer.ts";
import { useEscape } from "../state/escape.ts";
import { go, routeToConsumer } from "../state/route.ts";
import { rowOf } from "../state/rows.ts";
import { count, counted, dateAndClock } from "../text/format.ts";
import { AnswerBadge } from "./answer-badge.tsx";
import { Moment } from "./moment.tsx";
import type { PageProps } from "./page-props.ts";

type DetailProps = PageProps & {
  readonly id: number;
  /** Given if it was given up. */
  readonly dead?: DeadEvent | undefined;
  readonly onRetry?: (() => void) | undefined;
};

/** What became of one event, attempt by attempt, and the event itself. */
export function DeliveryDetail({ session, consumers: watch, name, query, id, dead, onRetry }: DetailProps) {
  const [answer, again] = useAnswer(session, async (signal) => rowOf(await session.client.event(id, { signal })), [id]);
  const { event: _, ...others } = query;
  const close = () => go(routeToConsumer(name, others));
  useEscape(close);
  const attempts = (watch.answer?.attempts ?? []).filter(({ event_id }) => event_id === id);
  return (
    <section class="detail delivery" aria-label={`Delivery of event ${id}`}>
      <div class="stay">
        <header>
          <h2>Delivery of #{id}</h2>
          <button type="button" class="quiet icon" onClick={close} title="Close (Escape)">
            <span aria-hidden="true">✕</span>
            <span class="offscreen">Close</span>
          </button>
        </header>
        {dead && (
          <div class="given-up">
            <p>
              Given up after {counted(dead.attempts, "attempt")}, {dateAndClock(dead.dead_at)}:
            </p>
            <p class="wrong">{sentence(dead.reason)}</p>
            <div class="buttons">
              <button type="button" class="primary" onClick={onRetry}>
                Retry
              </button>
            </div>
          </div>
        )}
        {attempts.length > 0 && <Attempts attempts={attempts} />}
        {answer.kind === "loading" && <Loading what={`event ${id}`} />}
        {answer.kind === "failed" && <MissingEvent error={answer.error} id={id} onRetry={again} />}
        {answer.kind === "there" && <EventDetail event={answer.value} url={session.url} hasToken={session.hasToken} />}
      </div>
    </section>
  );
}

function Attempts({ attempts }: { readonly attempts: readonly PushAttempt[] }) {
  return (
    <ol class="attempts" aria-label="Attempts, the newest first">
      {attempts.map((one) => (
        <li key={`${one.at} ${one.attempt}`}>
          <AnswerBadge attempt={one} /> attempt {one.attempt}, {count(one.duration_ms)} ms <Moment at={one.at} />
          {one.error !== null && <p class="wrong">{sentence(one.error)}</p>}
        </li>
      ))}
    </ol>
  );
}
