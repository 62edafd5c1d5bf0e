import type { ConsumerInfo } from "../../client/index.ts";
import { CopyButton } from "../parts/copy-button.tsx";
import type { PageProps } from "./page-props.ts";

/** How workers take from a consumer. */
export function Workers({ session, consumer }: PageProps & { readonly consumer: ConsumerInfo }) {
  const { name } = consumer;
  const url = `${session.url}/api/consumers/${name}`;
  const token = session.hasToken ? ` \\\n  -H "Authorization: Bearer $EVENTBUS_TOKEN"` : "";
  return (
    <div class="settings">
      <p>
        Each event goes to one of the workers that take. Exit 0 acknowledges it; anything else brings it back later.
      </p>
      <Command label="Shell" text={`eventbus consume ${name} --url ${session.url} --parallel 4 --exec ./work.sh`} />
      <Command label="HTTP" text={`curl -X POST '${url}/take?max=10&wait=30s'${token}`} />
      <Command
        label="TypeScript"
        text={`for await (const delivery of bus.consume("${name}")) {\n  await handle(delivery.event);\n  await delivery.ack();\n}`}
      />
    </div>
  );
}

function Command({ label, text }: { readonly label: string; readonly text: string }) {
  return (
    <section class="as-text" aria-label={label}>
      <div class="buttons">
        <h2>{label}</h2>
        <span class="fill" />
        <CopyButton label="Copy" text={() => text} />
      </div>
      <pre class="code">{text}</pre>
    </section>
  );
}
