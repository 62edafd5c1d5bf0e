import { EventBusError, type SubscriberInfo, type SubscriberState } from "../../client/index.ts";
import { useAnswer } from "../state/answer.ts";
import type { FullStats } from "../state/monitor.ts";
import { routeTo } from "../state/route.ts";
import type { Session } from "../state/session.ts";
import { bytes, count, counted, dateAndClock, duration } from "../text/format.ts";
import { sentence } from "./states.tsx";
import { TableHead } from "./table-head.tsx";

/** As many as are shown: the ones furthest behind. */
const MAX_SHOWN = 100;
/** Characters of a name that are shown; that of a JSON Web Token without one is a long hash. */
const MAX_NAME = 24;
/** Patterns that are shown beside each other. */
const MAX_PATTERNS = 3;

const STATES: Readonly<Record<SubscriberState, string>> = {
  live: "live",
  catching_up: "catching up from history",
  slow: "slow: has not read what was sent",
  starting: "looking for its start",
};

interface SubscribersProps {
  readonly session: Session;
  readonly stats: FullStats;
  /** When the stats came: the list is requested again with them. */
  readonly atMs: number;
}

/** Who is connected, how far behind, and why. */
export function Subscribers({ session, stats, atMs }: SubscribersProps) {
  const ask = (signal: AbortSignal) => session.client.subscribers({ limit: MAX_SHOWN, signal });
  const [answer] = useAnswer(session, ask, [atMs]);
  const { websocket, stream } = stats.subscribers;
  const total = websocket.live + websocket.replay + stream.live + stream.replay;
  return (
    <section class="subscribers" aria-labelledby="subscribers-title">
      <h2 id="subscribers-title">Subscribers</h2>
      {answer.kind === "loading" && <p class="hint">Loading …</p>}
      {answer.kind === "failed" && <p class="unreported">{wordsOf(answer.error)}</p>}
      {answer.kind === "there" && (
        <>
          <p class="hint">
            {answer.value.length === 0 && "None is connected."}
            {answer.value.length > 0 && "The one furthest behind comes first."}
            {total > MAX_SHOWN && ` These are ${count(answer.value.length)} of ${counted(total, "subscriber")}.`}
          </p>
          {answer.value.length > 0 && <List subscribers={answer.value} />}
        </>
      )}
    </section>
  );
}

/** An older server has no list. */
function wordsOf(error: unknown): string {
  if (!(error instanceof EventBusError)) return "Something failed.";
  return error.status === 404 ? "Not reported by this server." : sentence(error.message);
}

function List({ subscribers }: { readonly subscribers: readonly SubscriberInfo[] }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable with the keyboard.
    <section class="sideways" tabIndex={0} aria-label="List of subscribers">
      <table>
        <TableHead names={["Who", "State", "Behind", "Waiting", "Connected", "Patterns"]} />
        <tbody>
          {subscribers.map((one) => (
            <Line key={`${one.connected_at} ${one.address} ${one.patterns.join()}`} subscriber={one} />
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Line({ subscriber }: { readonly subscriber: SubscriberInfo }) {
  const { transport, caller, address, patterns, state, lag, waiting_bytes, connected_at } = subscriber;
  const shown = patterns.slice(0, MAX_PATTERNS);
  const others = patterns.length - shown.length;
  return (
    <tr>
      <th scope="row" title={caller}>
        {caller !== "" && `${caller.length > MAX_NAME ? `${caller.slice(0, MAX_NAME)}…` : caller}, `}
        {address ?? "unknown address"} <small>{transport === "websocket" ? "WebSocket" : "stream"}</small>
      </th>
      <td class={state}>{STATES[state]}</td>
      <td class="number" data-name="behind">
        {lag === null ? "" : count(lag)}
      </td>
      <td class="number" data-name="waiting">
        {bytes(waiting_bytes)}
      </td>
      <td data-name="connected" title={dateAndClock(connected_at)}>
        {duration((Date.now() - Date.parse(connected_at)) / 1000)} ago
      </td>
      <td class="patterns" title={patterns.join(" ")}>
        {shown.map((pattern) => (
          <a key={pattern} href={routeTo("live", { pattern })}>
            <code>{pattern}</code>
          </a>
        ))}
        {others > 0 && <small>and {count(others)} more</small>}
      </td>
    </tr>
  );
}
