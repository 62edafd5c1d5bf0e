import { rawDataOf } from "../../client/received-event.ts";
import { routeTo, routeToEvent } from "../state/route.ts";
import type { EventRow } from "../state/rows.ts";
import { toCurl } from "../text/commands.ts";
import { dateAndClock, zone } from "../text/format.ts";
import { CopyButton } from "./copy-button.tsx";
import { JsonTree } from "./json/json-tree.tsx";
import { TopicName } from "./topic-name.tsx";

export interface EventDetailProps {
  readonly event: EventRow;
  readonly url: string;
  readonly hasToken: boolean;
  /** Closes the panel; omitted if it cannot be closed. */
  readonly onClose?: (() => void) | undefined;
}

/** All details of one event. */
export function EventDetail({ event, url, hasToken, onClose }: EventDetailProps) {
  const { key, topic, source, createdAt, json } = event;
  const data = rawDataOf(json);
  return (
    <article class="detail" aria-label={`Event ${key}`}>
      <header>
        <h2 class="whole">
          <a href={routeToEvent(key)} title="The address of this event">
            #{key}
          </a>
          <TopicName topic={topic} />
        </h2>
        {onClose && (
          <button type="button" class="quiet icon" onClick={onClose} title="Close (Escape)">
            <span aria-hidden="true">✕</span>
            <span class="offscreen">Close</span>
          </button>
        )}
      </header>
      <dl class="facts">
        <dt>Created</dt>
        <dd>
          <time dateTime={createdAt}>{createdAt}</time>
          {zone !== "UTC" && (
            <>
              {" "}
              <small>
                {dateAndClock(createdAt)} {zone}
              </small>
            </>
          )}
        </dd>
        <dt>Source</dt>
        <dd>{source === "" ? <i>none</i> : <a href={routeTo("history", { source })}>{source}</a>}</dd>
        <dt>Topic</dt>
        <dd>
          <a href={routeTo("live", { pattern: topic })}>live</a> · <a href={routeTo("history", { topic })}>history</a>
        </dd>
      </dl>
      <div class="buttons">
        <CopyButton label="Copy JSON" text={() => json} title="The complete event, as it was sent" />
        <CopyButton
          label="Copy as curl (publishes it again)"
          text={() => toCurl(url, { topic, source, data }, hasToken)}
          title="A command that publishes a new event with the same topic, source and data"
        />
        <a class="button" href={routeTo("publish", { from: key })} title="Opens the form with this event in it">
          Publish again …
        </a>
      </div>
      <JsonTree key={key} text={data} />
    </article>
  );
}
