// WebSocket subscriptions from a server of your own. Run it with `bun examples/serve-subscribe.ts`, then connect to
// ws://127.0.0.1:9810/?pattern=clock.*
import { Bus, serveSubscribe } from "../src/index.ts";

const bus = Bus.open(":memory:", { maxHistory: 1000 });
const server = Bun.serve({ hostname: "127.0.0.1", port: 9810, ...serveSubscribe(bus, console) });
setInterval(() => void bus.publish("clock.second", { now: new Date() }), 1000);
console.log(`subscribe at ${server.url.href.replace("http", "ws")}?pattern=clock.*`);
