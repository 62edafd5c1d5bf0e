import { ConsumerWatch } from "./consumer-watch.ts";
import { Journal } from "./journal.ts";
import { LiveTail } from "./live-tail.ts";
import { Monitor } from "./monitor.ts";
import { parseRoute } from "./route.ts";
import { Session } from "./session.ts";
import { TopicWatch } from "./topic-watch.ts";

/** The state of the page, for as long as it is open. */
export interface Parts {
  readonly session: Session;
  readonly journal: Journal;
  readonly tail: LiveTail;
  readonly monitor: Monitor;
  readonly topics: TopicWatch;
  readonly consumers: ConsumerWatch;
}

/** The properties of a view: all of the state, and the filters of the address. */
export type ViewProps = Parts & { readonly query: Readonly<Record<string, string>> };

/** Begins to ask the server. */
export function startParts(): Parts {
  const session = new Session();
  const journal = new Journal();
  const { view, query } = parseRoute(location.hash);
  const { pattern = "*", source = "" } = view === "live" ? query : {};
  const tail = new LiveTail(session, journal, { pattern, source });
  const monitor = new Monitor(session, journal);
  const topics = new TopicWatch(session);
  const consumers = new ConsumerWatch(session);
  // The server responds again, so there is no need to wait for the next retry.
  monitor.onChange(() => {
    if (monitor.error !== undefined) return;
    const { connection } = tail;
    if (connection.kind === "waiting" && connection.error.code === "network") tail.retry();
    topics.retry();
    consumers.retry();
  });
  return { session, journal, tail, monitor, topics, consumers };
}
