import type { Selection } from "../state/selection.ts";
import type { Session } from "../state/session.ts";
import { EventDetail } from "./event-detail.tsx";
import { MissingEvent } from "./missing-event.tsx";
import { Loading } from "./states.tsx";

export interface SelectedEventProps {
  readonly selection: Selection;
  readonly session: Session;
  readonly onClose: () => void;
}

/** The panel beside a list: the event that the address names. */
export function SelectedEvent({ selection: { id, event, again }, session, onClose }: SelectedEventProps) {
  if (id === undefined) return null;
  if (event.kind === "there") {
    return <EventDetail event={event.value} url={session.url} hasToken={session.hasToken} onClose={onClose} />;
  }
  return (
    <div class="detail">
      {event.kind === "loading" ? (
        <Loading what={`event ${id}`} />
      ) : (
        <MissingEvent error={event.error} id={id} onRetry={again} />
      )}
      <button type="button" onClick={onClose}>
        Close
      </button>
    </div>
  );
}
