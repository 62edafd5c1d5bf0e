import type { EventBusError } from "../../client/index.ts";
import { Failure, Notice } from "../parts/states.tsx";
import { go, routeTo, routeToConsumer } from "../state/route.ts";

export function NoConsumers() {
  return (
    <Notice title="There are no consumers">
      <p>
        A consumer is a name under which the server keeps the place. Each event that matches goes to one of the workers
        that take from it, or is posted to a webhook, and comes again until it is acknowledged.
      </p>
      <p>
        Create one here, or with <code>eventbus consumer set billing 'orders.*'</code>.
      </p>
    </Notice>
  );
}

/** The list needs more rights than a page: a token that may take from a consumer may open that consumer's page. */
export function NotForThisToken() {
  const open = (event: SubmitEvent) => {
    event.preventDefault();
    if (!(event.currentTarget instanceof HTMLFormElement)) return;
    go(routeToConsumer(String(new FormData(event.currentTarget).get("name")).trim()));
  };
  return (
    <section class="view consumers">
      <h1 class="offscreen">Consumers</h1>
      <Notice title="The list of consumers requires a monitor token">
        <p>
          An admin creates one with <code>eventbus token create NAME --monitor</code>. To create and change consumers,
          it takes <code>--admin</code>. With this token you can open a consumer that it may take from.
        </p>
        <form class="find" onSubmit={open}>
          <label class="find">
            Name
            <input name="name" required spellcheck={false} autocomplete="off" />
          </label>
          <button type="submit">Open</button>
        </form>
      </Notice>
    </section>
  );
}

interface MissingProps {
  readonly name: string;
  readonly error: EventBusError;
  readonly onRetry: () => void;
}

/** Says why there is nothing to show of a consumer. */
export function MissingConsumer({ name, error, onRetry }: MissingProps) {
  if (error.status === 404) {
    return (
      <Notice title={`There is no consumer ${name}`}>
        <p>
          It may have been deleted. <a href={routeTo("consumers")}>Show all consumers</a> or{" "}
          <a href={routeTo("consumers", { create: name })}>create it</a>
        </p>
      </Notice>
    );
  }
  if (error.status !== 403) return <Failure error={error} onRetry={onRetry} />;
  return (
    <Notice title={`This token may not take from ${name}`}>
      <p>
        An admin creates one that may with <code>eventbus token create NAME --consume {name}</code>.
      </p>
    </Notice>
  );
}
