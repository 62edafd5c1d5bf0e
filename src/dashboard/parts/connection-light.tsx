import type { LiveTail } from "../state/live-tail.ts";
import type { Monitor } from "../state/monitor.ts";
import type { Session } from "../state/session.ts";
import { useStores } from "../state/store.ts";
import { measure } from "../text/format.ts";

interface Light {
  readonly mood: "good" | "bad" | "wait" | "plain";
  readonly words: string;
  readonly title?: string;
}

/** The state of the connection to the server, in a few words. */
export function ConnectionLight({
  tail,
  monitor,
  session,
}: {
  readonly tail: LiveTail;
  readonly monitor: Monitor;
  readonly session: Session;
}) {
  useStores(tail, monitor, session);
  const { mood, words, title } = lightOf(tail, monitor, session);
  const { kind } = tail.connection;
  const canRetry = !tail.isPaused && session.wants === undefined && (kind === "waiting" || kind === "ended");
  const rate = mood !== "bad" && monitor.error === undefined ? monitor.latest?.published_per_second : undefined;
  return (
    <>
      {rate !== undefined && (
        <span class="rate" title="Events published per second, mean over the last ten seconds">
          {measure(rate)}
          <small>/s</small>
        </span>
      )}
      <span class={`light ${mood}`} role="status" title={title}>
        {words}
      </span>
      {canRetry && (
        <button type="button" class="quiet" onClick={() => tail.retry()}>
          Try now
        </button>
      )}
    </>
  );
}

function lightOf(tail: LiveTail, monitor: Monitor, session: Session): Light {
  if (session.wants !== undefined) return { mood: "wait", words: "Token needed" };
  if (tail.isPaused) {
    return monitor.isUnreachable ? { mood: "bad", words: "Disconnected" } : { mood: "plain", words: "Paused" };
  }
  const state = tail.connection;
  switch (state.kind) {
    case "open":
      return { mood: "good", words: "Connected" };
    case "connecting":
      return state.failures === 0 ? { mood: "wait", words: "Connecting" } : { mood: "bad", words: "Disconnected" };
    case "waiting":
      return { mood: "bad", words: "Disconnected", title: state.error.message };
    case "offline":
      return { mood: "bad", words: "No network", title: state.error.message };
    case "ended":
      // The field says so.
      if (state.error?.code === "pattern_invalid") return { mood: "wait", words: "Check the pattern" };
      return { mood: "bad", words: "Stopped", title: state.error?.message ?? "" };
  }
}
