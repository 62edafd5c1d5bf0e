import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { ConsumerInfo } from "../../client/index.ts";
import { go, routeTo, routeToConsumer } from "../state/route.ts";
import { ConsumerForm } from "./consumer-form.tsx";
import type { PageProps } from "./page-props.ts";

const ORDERS = {
  none: "nothing: everything in parallel",
  topic: "the events of a topic; topics in parallel",
  all: "all events",
} as const;

type SettingsProps = PageProps & { readonly consumer: ConsumerInfo };

/** What was set, and a form that changes it. */
export function ConsumerSettings(props: SettingsProps) {
  return props.query["do"] === "change" ? <Change {...props} /> : <Settings {...props} />;
}

function Change({ session, consumers: watch, name, query, consumer, onSecret }: SettingsProps) {
  const [edited] = useState(consumer);
  const back = routeToConsumer(name, { ...query, do: undefined });
  return (
    <div class="settings">
      <ConsumerForm
        client={session.client}
        name={name}
        taken={[]}
        edited={edited}
        cancel={back}
        onMade={(changed) => {
          if (changed.secret !== undefined) onSecret(changed);
          watch.again();
          go(back);
        }}
      />
    </div>
  );
}

function Settings({ query, consumer }: SettingsProps) {
  const { name, pattern, order, ack_timeout, max_attempts, retry, max_in_flight, push } = consumer;
  return (
    <div class="settings">
      <dl class="facts">
        <Fact name="Patterns">
          {pattern.map((one) => (
            <a key={one} href={routeTo("history", { topic: one })}>
              <code>{one}</code>
            </a>
          ))}
        </Fact>
        <Fact name="One after another">{ORDERS[order]}</Fact>
        <Fact name="Attempts">{max_attempts}, then an event is given up</Fact>
        <Fact name="Delays between them">{retry.join(", ")}; the last one is repeated</Fact>
        <Fact name="Time to acknowledge">{ack_timeout}</Fact>
        <Fact name="Out at a time">{max_in_flight}</Fact>
        {push !== null && (
          <>
            <Fact name="Webhook">
              <code>{push.url}</code>
            </Fact>
            <Fact name="Headers">
              {Object.keys(push.headers).join(", ") || "none"}
              {Object.keys(push.headers).length > 0 && <small> (values are not shown)</small>}
            </Fact>
            <Fact name="Answer within">{push.timeout}</Fact>
            <Fact name="Requests at a time">{push.concurrency}</Fact>
          </>
        )}
      </dl>
      <div class="buttons">
        <a class="button" href={routeToConsumer(name, { ...query, do: "change" })}>
          Change …
        </a>
      </div>
      <p class="hint">
        <code>eventbus consumer set {name} …</code> changes them, too; it keeps its place.
      </p>
    </div>
  );
}

function Fact({ name, children }: { readonly name: string; readonly children: ComponentChildren }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  );
}
