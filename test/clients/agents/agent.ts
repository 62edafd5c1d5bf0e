/** The agent of the conformance script for the TypeScript client: see conformance.test.ts. */
import { connect, EventBusError } from "../../../src/client/index.ts";

const task = JSON.parse(Bun.argv[2] ?? "{}");
const say = (words: object) => process.stdout.write(`${JSON.stringify(words)}\n`);
const bus = connect(task.url, { token: task.token });

try {
  if (task.do === "publish") {
    const options = { source: task.source, idempotencyKey: task.key };
    say({ event: (await bus.publish(task.topic, task.data, options)).id });
  } else if (task.do === "history") {
    say({ events: (await bus.history({ topic: task.pattern, last: task.last })).map(({ id }) => id) });
  } else {
    const events = bus.subscribe(task.pattern, {
      since: task.since,
      onGap: ({ after, next }) => say({ gap: [after, next] }),
      onState: ({ kind }) => say({ state: kind }),
    });
    for await (const { id, topic } of events) {
      say({ event: id, topic });
      if (task.pauseMs) await Bun.sleep(task.pauseMs);
    }
  }
} catch (error) {
  say({ error: error instanceof EventBusError ? error.code : String(error) });
}
bus.close();
