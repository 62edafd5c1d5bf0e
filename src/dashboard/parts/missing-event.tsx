import { EventBusError } from "../../client/index.ts";
import { routeToEvent } from "../state/route.ts";
import { Failure, Notice, sentence } from "./states.tsx";

/** Says why there is no such event: it never existed, or retention has removed it. */
export function MissingEvent({
  error,
  id,
  onRetry,
}: {
  readonly error: unknown;
  readonly id: number;
  readonly onRetry: () => void;
}) {
  if (!(error instanceof EventBusError) || (error.status !== 404 && error.status !== 410)) {
    return <Failure error={error} onRetry={onRetry} />;
  }
  const oldest = error.problem?.oldest;
  return (
    <Notice title={error.status === 410 ? `Event ${id} is no longer kept` : `There is no event ${id}`}>
      {oldest === undefined ? (
        <p>{sentence(error.message)}</p>
      ) : (
        <p>
          Retention has removed it. The oldest that is still kept is <a href={routeToEvent(oldest)}>#{oldest}</a>.
        </p>
      )}
    </Notice>
  );
}
