import { useEffect, useState } from "preact/hooks";
import type { ConsumerWithSecret } from "../../client/index.ts";
import { ConsumerForm } from "../consumers/consumer-form.tsx";
import { ConsumerPage } from "../consumers/consumer-page.tsx";
import { ConsumerTable } from "../consumers/consumer-table.tsx";
import { NoConsumers, NotForThisToken } from "../consumers/notices.tsx";
import { Secret } from "../parts/secret.tsx";
import { Failure, Loading, StaleBanner } from "../parts/states.tsx";
import type { WatchedConsumer } from "../state/consumer-watch.ts";
import type { ViewProps } from "../state/parts.ts";
import { go, routeTo, routeToConsumer } from "../state/route.ts";
import { useStores } from "../state/store.ts";
import { counted } from "../text/format.ts";

/** The consumers, or the one that the address names. */
export function ConsumersView(props: ViewProps & { readonly name: string | undefined }) {
  const { consumers: watch, session, name } = props;
  useStores(watch, session);
  useEffect(() => watch.ask({ name }), [watch, name]);
  const [shown, setShown] = useState<ConsumerWithSecret | undefined>(undefined);
  const secret = shown?.name === name ? shown?.secret : undefined;
  const made = (consumer: ConsumerWithSecret) => {
    setShown(consumer);
    go(routeToConsumer(consumer.name));
  };
  if (name === undefined) return <ConsumerList {...props} onMade={made} />;
  return (
    <ConsumerPage key={name} {...props} name={name} onSecret={setShown}>
      {secret !== undefined && (
        <Secret title={`Signing secret of ${name}`} secret={secret} onDone={() => setShown(undefined)} />
      )}
    </ConsumerPage>
  );
}

type ListProps = ViewProps & { readonly onMade: (consumer: ConsumerWithSecret) => void };

function ConsumerList(props: ListProps) {
  const { answer, error } = props.consumers;
  // The response for a consumer's page stays until the list is there.
  const consumers = answer?.question.name === undefined ? answer?.consumers : undefined;
  if (error?.status === 403) return <NotForThisToken />;
  return (
    <section class="view consumers">
      <h1 class="offscreen">Consumers</h1>
      {error && consumers && <StaleBanner error={error} />}
      {consumers === undefined && (error ? <Failure error={error} /> : <Loading what="consumers" />)}
      {consumers && <KnownConsumers {...props} known={consumers} />}
    </section>
  );
}

function KnownConsumers({ known, query, session, onMade }: ListProps & { readonly known: readonly WatchedConsumer[] }) {
  const { create } = query;
  const form = (cancel: string | undefined) => (
    <ConsumerForm
      client={session.client}
      name={create === "new" ? "" : (create ?? "")}
      taken={known.map(({ name }) => name)}
      cancel={cancel}
      onMade={onMade}
    />
  );
  if (known.length === 0) {
    return (
      <div class="columns">
        <NoConsumers />
        {form(undefined)}
      </div>
    );
  }
  return (
    <>
      <div class="tools">
        <span class="fill">{counted(known.length, "consumer")}</span>
        {create === undefined && (
          <a class="button" href={routeTo("consumers", { create: "new" })}>
            Create a consumer …
          </a>
        )}
      </div>
      <div class={create === undefined ? "alone" : "columns"}>
        <ConsumerTable consumers={known} />
        {create !== undefined && form(routeTo("consumers"))}
      </div>
    </>
  );
}
