// The bus as a library: no server, no network. Run it with `bun examples/library.ts`.
import { Bus } from "../src/index.ts";

const bus = Bus.open(":memory:", { maxHistory: 10_000 });
bus.startPruning(60_000);

const orders = bus.subscribe("orders.*");
const reader = (async () => {
  for await (const event of orders) {
    console.log("received", event.id, event.topic, event.data);
    if (event.topic === "orders.paid") bus.unsubscribe(orders);
  }
})();

await bus.publish("orders.created", { total: 1.1 }, "shop");
await bus.publish("users.created", { name: "Ada" }, "shop");
await bus.publish("orders.paid", { total: 1.1 }, "shop");
await reader;

for (const event of await bus.history(10, "*.created")) console.log("history", event.id, event.topic);
const today = { from: new Date(Date.now() - 86_400_000), source: "shop", limit: 1 };
for (const event of await bus.historyByTimeRange(today)) console.log("newest of today", event.id, event.topic);
await bus.stop();
