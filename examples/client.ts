// The client of a server that runs somewhere else. Start one with `eventbus`, then run this with
// `bun examples/client.ts`. In a project of your own the import is "@eventbus/client".
import { connect, EventBusError } from "../src/client/index.ts";

const bus = connect(process.env["EVENTBUS_URL"] ?? "http://127.0.0.1:9800", {
  token: process.env["EVENTBUS_TOKEN"],
});

// Publishing never makes two events of one, however often the connection breaks on the way.
const first = await bus.publish("orders.created", { total: 1.1 }, { source: "example" });
await bus.publishMany([{ topic: "orders.paid" }, { topic: "users.created", data: { name: "Ada" } }]);

const newest = await bus.history({ topic: ["orders.*", "users.*"], last: 3 });
console.log("history ", newest.map(({ topic }) => topic).join(", "));

// Every event from `first` on, once each, even when the server is restarted while this loop runs.
const subscription = bus.subscribe(["orders.*", "users.*"], {
  since: first.id - 1,
  onGap: ({ after, next }) => console.log(`events between ${after} and ${next} are not kept any more`),
  onState: (state) => console.log(`(${state.kind})`),
});
for await (const event of subscription) {
  console.log("received", event.topic, event.data);
  if (event.topic === "users.created") break;
}

try {
  await bus.publish("not a topic");
} catch (error) {
  if (!(error instanceof EventBusError)) throw error;
  console.log("refused ", error.code, error.message);
}
bus.close();
