import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import {
  type ConsumerInfo,
  type ConsumerOptions,
  type ConsumerWithSecret,
  type EventBusClient,
  EventBusError,
} from "../../client/index.ts";
import { sentence } from "../parts/states.tsx";
import { optionsOf } from "./consumer-options.ts";

interface Mistake {
  readonly field: string | undefined;
  readonly words: string;
}

export interface ConsumerFormProps {
  readonly client: EventBusClient;
  /** The name that the form begins with. */
  readonly name: string;
  /** Names of existing consumers: making one of these again would change it. */
  readonly taken: readonly string[];
  /** The consumer to change, as it was when the form was opened. Default: makes one. */
  readonly edited?: ConsumerInfo;
  /** Where to go without making one; undefined: there is nothing else to show. */
  readonly cancel: string | undefined;
  readonly onMade: (consumer: ConsumerWithSecret) => void;
}

/** Makes a consumer, or changes one. Mistakes are reported below its fields. */
export function ConsumerForm({ client, name: first, taken, edited, cancel, onMade }: ConsumerFormProps) {
  const [mistake, setMistake] = useState<Mistake>();
  const [goal, setGoal] = useState(edited?.push ? "webhook" : "workers");
  const [since, setSince] = useState("now");
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    if (!(event.currentTarget instanceof HTMLFormElement)) return;
    const form = new FormData(event.currentTarget);
    const name = edited?.name ?? String(form.get("name")).trim();
    if (taken.includes(name)) {
      setMistake({ field: "name", words: `There is a consumer ${name} already.` });
      return;
    }
    try {
      onMade(await client.consumers.set(name, optionsOf(form)));
    } catch (error) {
      setMistake(mistakeIn(error));
    }
  };
  const wrong = (field: keyof ConsumerOptions | "name") => ({
    "aria-invalid": mistake?.field === field,
    "aria-describedby": "consumer-mistake",
  });
  return (
    <form class="compose" onSubmit={submit} aria-label={edited ? `Change ${edited.name}` : "Create a consumer"}>
      <h2>{edited ? "Change its settings" : "Create a consumer"}</h2>
      {edited === undefined && (
        <label>
          Name
          <input
            name="name"
            required
            maxLength={64}
            defaultValue={first}
            placeholder="billing"
            {...wrong("name")}
            {...PLAIN}
          />
        </label>
      )}
      <label>
        Events of these topics
        <input
          class="mono"
          name="pattern"
          required
          defaultValue={edited?.pattern.join(" ")}
          placeholder="orders.* users.created"
          {...wrong("pattern")}
          {...PLAIN}
        />
        <span class="hint">patterns, with spaces between them</span>
      </label>
      {edited === undefined && (
        <label>
          Beginning with
          <select name="start" value={since} onChange={({ currentTarget }) => setSince(currentTarget.value)}>
            <option value="now">the next event</option>
            <option value="all">the oldest event that is kept</option>
            <option value="other">another place …</option>
          </select>
        </label>
      )}
      {since === "other" && (
        <label>
          Place
          <input class="mono" name="since" required placeholder="24h" {...wrong("since")} {...PLAIN} />
          <span class="hint">an event id, a time, or a duration ago such as 24h</span>
        </label>
      )}
      <label>
        One after another
        <select name="order" defaultValue={edited?.order}>
          <option value="topic">the events of a topic; topics in parallel</option>
          <option value="all">all events</option>
          <option value="none">nothing: everything in parallel</option>
        </select>
      </label>
      <label>
        Delivered to
        <select name="goal" value={goal} onChange={({ currentTarget }) => setGoal(currentTarget.value)}>
          <option value="workers">workers that take them</option>
          <option value="webhook">a webhook</option>
        </select>
      </label>
      {goal === "webhook" && <WebhookFields push={edited?.push ?? undefined} {...wrong("push")} />}
      <details open={edited !== undefined}>
        <summary>Retries and limits</summary>
        <Setting
          words="Attempts before an event is given up"
          name="max_attempts"
          placeholder="10"
          defaultValue={edited?.max_attempts}
          {...wrong("max_attempts")}
        />
        <Setting
          words="Delays between them"
          name="retry"
          placeholder="1s 10s 1m 10m"
          defaultValue={edited?.retry.join(" ")}
          {...wrong("retry")}
        >
          the last one is repeated
        </Setting>
        <Setting
          words="Time to acknowledge"
          name="ack_timeout"
          placeholder="30s"
          defaultValue={edited?.ack_timeout}
          {...wrong("ack_timeout")}
        />
        <Setting
          words="Deliveries out at a time"
          name="max_in_flight"
          placeholder="1000"
          defaultValue={edited?.max_in_flight}
          {...wrong("max_in_flight")}
        />
      </details>
      <p id="consumer-mistake" class="wrong" role="status">
        {mistake?.words}
      </p>
      <div class="buttons">
        <button type="submit" class="primary">
          {edited ? "Save" : "Create"}
        </button>
        {cancel !== undefined && (
          <a class="button" href={cancel}>
            Cancel
          </a>
        )}
      </div>
    </form>
  );
}

const PLAIN = { spellcheck: false, autocomplete: "off" } as const;

interface Checked {
  readonly "aria-invalid": boolean;
  readonly "aria-describedby": string;
}

function WebhookFields({ push, ...checked }: Checked & { readonly push: ConsumerInfo["push"] | undefined }) {
  const headers = Object.keys(push?.headers ?? {});
  return (
    <>
      <label>
        Address
        <input
          class="mono"
          name="url"
          type="url"
          required
          defaultValue={push?.url}
          placeholder="https://example.com/hooks/orders"
          {...checked}
          {...PLAIN}
        />
        <span class="hint">signed by Standard Webhooks; the secret is shown once</span>
      </label>
      <label>
        Headers
        <textarea
          class="mono"
          name="headers"
          rows={2}
          placeholder="Authorization: Bearer …"
          defaultValue={headers.map((name) => `${name}: …`).join("\n")}
          {...checked}
          {...PLAIN}
        />
        <span class="hint">
          {headers.length === 0
            ? "a line for each; their values are not shown later"
            : "their values are not shown: write each in place of its …"}
        </span>
      </label>
      <div class="pair">
        <Setting words="Answer within" name="timeout" placeholder="15s" defaultValue={push?.timeout} {...checked} />
        <Setting words="At a time" name="concurrency" placeholder="8" defaultValue={push?.concurrency} {...checked} />
      </div>
    </>
  );
}

interface SettingProps extends Checked {
  readonly words: string;
  readonly name: string;
  readonly placeholder: string;
  readonly defaultValue: string | number | undefined;
  readonly children?: ComponentChildren;
}

/** An empty one takes its default, which is shown in its place. */
function Setting({ words, children, ...input }: SettingProps) {
  return (
    <label>
      {words}
      <input class="mono" {...input} {...PLAIN} />
      {children !== undefined && <span class="hint">{children}</span>}
    </label>
  );
}

function mistakeIn(error: unknown): Mistake {
  const field = error instanceof EventBusError ? error.problem?.parameter : undefined;
  return { field, words: sentence(error instanceof Error ? error.message : String(error)) };
}
