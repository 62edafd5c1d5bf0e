import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { ConsumerInfo } from "../../client/index.ts";
import { sentence } from "../parts/states.tsx";
import { go, routeTo, routeToConsumer } from "../state/route.ts";
import { counted } from "../text/format.ts";
import type { PageProps } from "./page-props.ts";
import { useWork, type Work } from "./work.ts";

type ActionsProps = PageProps & { readonly consumer: ConsumerInfo };

/** Pause, resume, seek, rotate the secret, delete. The action that asks for confirmation is part of the address. */
export function ConsumerActions(props: ActionsProps) {
  const { session, consumers: watch, name, query, consumer } = props;
  const { failure, run, isBusy } = useWork(session, () => watch.again());
  const { consumers: calls } = session.client;
  const { do: asked, ...rest } = query;
  const ask = (action: string | undefined) => routeToConsumer(name, { ...rest, do: action });
  return (
    <>
      <div class="buttons">
        {consumer.paused ? (
          <button type="button" class="primary" disabled={isBusy} onClick={() => run(() => calls.resume(name))}>
            Resume
          </button>
        ) : (
          <button type="button" disabled={isBusy} onClick={() => run(() => calls.pause(name))}>
            Pause
          </button>
        )}
        <a class="button" href={ask("seek")}>
          Seek …
        </a>
        {consumer.push !== null && (
          <a class="button" href={ask("rotate")}>
            Rotate secret …
          </a>
        )}
        <a class="button" href={ask("delete")}>
          Delete …
        </a>
      </div>
      {asked === "seek" && <Seek {...props} cancel={ask(undefined)} />}
      {asked === "rotate" && consumer.push !== null && <Rotate {...props} cancel={ask(undefined)} />}
      {asked === "delete" && <Delete {...props} cancel={ask(undefined)} />}
      <p class="wrong" role="status">
        {failure && sentence(failure)}
      </p>
    </>
  );
}

type QuestionProps = ActionsProps & { readonly cancel: string };

function Seek({ session, consumers: watch, name, consumer, cancel }: QuestionProps) {
  const { failure, run, isBusy } = useWork(session, () => {
    watch.again();
    go(cancel);
  });
  const [start, setStart] = useState("now");
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    if (!(event.currentTarget instanceof HTMLFormElement)) return;
    const other = String(new FormData(event.currentTarget).get("since") ?? "").trim();
    void run(() => session.client.consumers.seek(name, start === "other" ? other : start));
  };
  return (
    <form class="question" onSubmit={submit} aria-label="Seek">
      <p>
        Continue at another place. What is out or waits for another attempt is taken back; it is now after event{" "}
        {consumer.place}.
      </p>
      <div class="buttons">
        <label>
          To{" "}
          <select value={start} onChange={({ currentTarget }) => setStart(currentTarget.value)}>
            <option value="now">now: skip what waits</option>
            <option value="all">the beginning: everything that is kept</option>
            <option value="1h">an hour ago</option>
            <option value="24h">24 hours ago</option>
            <option value="other">another place …</option>
          </select>
        </label>
        {start === "other" && (
          <label>
            Place{" "}
            <input
              class="mono"
              name="since"
              required
              placeholder="event id, time, or 10m"
              aria-invalid={failure !== undefined}
              aria-describedby="seek-mistake"
              spellcheck={false}
              autocomplete="off"
            />
          </label>
        )}
        <button type="submit" class="primary" disabled={isBusy}>
          Seek
        </button>
        <a class="button" href={cancel}>
          Cancel
        </a>
      </div>
      <p id="seek-mistake" class="wrong" role="status">
        {failure && sentence(failure)}
      </p>
    </form>
  );
}

function Rotate({ session, name, onSecret, cancel }: QuestionProps) {
  const work = useWork(session, () => go(cancel));
  const rotate = async () => onSecret(await session.client.consumers.rotateSecret(name));
  return (
    <Confirm label="Rotate the secret" verb="Rotate now" work={work} onConfirm={rotate} cancel={cancel}>
      A new secret signs from now on, and is shown once. The one before signs, too, for another 24 hours.
    </Confirm>
  );
}

function Delete({ session, name, consumer, cancel }: QuestionProps) {
  const work = useWork(session, () => go(routeTo("consumers")));
  const remove = () => session.client.consumers.delete(name);
  return (
    <Confirm label={`Delete ${name}`} verb="Delete now" isDangerous work={work} onConfirm={remove} cancel={cancel}>
      This deletes its place and the list of {counted(consumer.dead, "event")} that it has given up. The events stay in
      the history.
    </Confirm>
  );
}

interface ConfirmProps {
  readonly label: string;
  /** The text of the button that does it. */
  readonly verb: string;
  readonly isDangerous?: boolean;
  readonly work: Work;
  readonly onConfirm: () => Promise<unknown>;
  /** Where the other button leads. */
  readonly cancel: string;
  readonly children: ComponentChildren;
}

function Confirm({ label, verb, isDangerous = false, work, onConfirm, cancel, children }: ConfirmProps) {
  const { failure, run, isBusy } = work;
  return (
    <section class="question" aria-label={label}>
      <p>{children}</p>
      <div class="buttons">
        <button
          type="button"
          class={isDangerous ? "danger" : "primary"}
          disabled={isBusy}
          onClick={() => run(onConfirm)}
        >
          {verb}
        </button>
        <a class="button" href={cancel}>
          Keep
        </a>
      </div>
      <p class="wrong" role="status">
        {failure && sentence(failure)}
      </p>
    </section>
  );
}
