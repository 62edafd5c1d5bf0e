import { expect, test } from "bun:test";
import { connect } from "../../src/client/index.ts";
import { freePort } from "../helpers/port.ts";
import { TcpProxy } from "../helpers/proxy.ts";
import { sharedService } from "../helpers/service.ts";
import { take } from "./take.ts";

// Each address leads to the same service, as those of the nodes of a cluster lead to the same history.
const service = sharedService();
const nowhere = () => `http://127.0.0.1:${freePort()}`;

test("a call goes to the next server when one does not respond", async () => {
  const bus = connect(`${nowhere()}, ${service.url}`);
  const { id } = await bus.publish("a", 1);
  expect(bus.url).toBe(service.url);
  expect(await bus.event(id)).toMatchObject({ topic: "a", data: 1 });
});

test("a publish is stored once when its response is lost and the next server gets it", async () => {
  using first = new TcpProxy(service.url);
  const bus = connect([first.url, service.url]);
  first.cutInside('"created_at"');
  const { id } = await bus.publish("once", 1);
  expect(bus.url).toBe(service.url);
  expect((await bus.history({ topic: "once" })).map((event) => event.id)).toEqual([id]);
});

test("a subscription resumes at the next server, without a loss", async () => {
  using first = new TcpProxy(service.url);
  using second = new TcpProxy(service.url);
  const bus = connect([first.url, second.url]);
  const subscription = bus.subscribe("moving");
  await subscription.opened;
  for (const [value, lose] of [first, second, first].map((proxy, index) => [index, () => proxy.cut()] as const)) {
    await bus.publish("moving", value);
    expect((await take(subscription, 1)).map(({ data }) => data)).toEqual([value]);
    lose();
  }
  await bus.publish("moving", 3);
  expect((await take(subscription, 1)).map(({ data }) => data)).toEqual([3]);
  expect(second.connections).toBeGreaterThan(0);
  subscription.close();
});

test("a wait that one server asks for does not delay the next one", async () => {
  await using busy = refusing({ status: 503, code: "unavailable" });
  const bus = connect([busy.url, service.url], { timeoutMs: 10_000 });
  await bus.publish("a");
  expect(bus.url).toBe(service.url);
});

test("a rate limit is not evaded at the next server", async () => {
  await using limited = refusing({ status: 429, code: "rate_limited" });
  const bus = connect([limited.url, service.url], { timeoutMs: 300 });
  await expect(bus.publish("a")).rejects.toMatchObject({ code: "rate_limited" });
  expect(bus.url).toBe(limited.url);
});

test.each(["", " , ", "http://127.0.0.1:1,ftp://127.0.0.1"])("the addresses %j are rejected", (addresses) => {
  expect(() => connect(addresses)).toThrow(expect.objectContaining({ code: "parameter_invalid" }));
});

/** A server that asks every client to come back in an hour. */
function refusing({ status, code }: { status: number; code: string }) {
  const problem = { type: "about:blank", title: "", status, detail: "later", code };
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: () => Response.json(problem, { status, headers: { "retry-after": "3600" } }),
  });
  return { url: `http://127.0.0.1:${server.port}`, [Symbol.asyncDispose]: () => server.stop(true) };
}
