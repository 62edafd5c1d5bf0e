import { afterEach, beforeEach, expect, test } from "bun:test";
import type { Stats } from "../../src/client/stats.ts";
import type { ConsumerInfo, DeliveryMessage, Settled } from "../../src/protocol/consumer.ts";
import { expectOk, expectProblem, publish } from "../helpers/http.ts";
import { until } from "../helpers/inbox.ts";
import { NatsServer } from "../helpers/nats-server.ts";
import { describeWith } from "../helpers/requires.ts";
import { startService, type TestService } from "../helpers/service.ts";
import { TestSocket } from "../helpers/socket.ts";

describeWith("nats-server", "consumers of a cluster", () => {
  let nats: NatsServer;
  let services: TestService[];

  const isReady = async ({ url }: TestService) => (await fetch(`${url}/readyz`)).ok;
  const statsOf = async ({ url }: TestService) => expectOk<Stats>(await fetch(`${url}/api/stats`));
  const at = ({ url }: TestService, path: string) => `${url}/api/consumers/${path}`;
  const ask = (service: TestService, path: string, body?: object) =>
    fetch(at(service, path), { method: "POST", ...(body && { body: JSON.stringify(body) }) });
  const set = async (service: TestService, name: string, settings: object = {}) => {
    const body = JSON.stringify({ pattern: ["*"], ...settings });
    const response = await fetch(at(service, name), { method: "PUT", body });
    expect(response.status).toBe(201);
    return (await response.json()) as ConsumerInfo;
  };
  const take = async (service: TestService, name: string, query = "wait=60s"): Promise<DeliveryMessage[]> =>
    expectOk(await ask(service, `${name}/take?${query}`));
  const ack = async (service: TestService, name: string, taken: readonly DeliveryMessage[]): Promise<Settled> =>
    expectOk(await ask(service, `${name}/ack`, { deliveries: taken.map(({ delivery }) => delivery) }));
  /** The service that serves the consumers, and one that does not. */
  const ownerAndOther = async (): Promise<[TestService, TestService]> => {
    const all = await Promise.all(services.map(async (one) => ({ one, cluster: (await statsOf(one)).cluster })));
    const owner = all.find(({ cluster }) => cluster?.consumers === cluster?.node)?.one;
    const other = all.find(({ cluster }) => cluster?.consumers !== cluster?.node)?.one;
    if (owner === undefined || other === undefined) throw new Error("no node serves the consumers");
    return [owner, other];
  };

  beforeEach(async () => {
    nats = await NatsServer.start({ syncInterval: "10s" });
    const config = { cluster: [nats.url], clusterReplicas: 1 };
    services = await Promise.all([startService(config), startService(config)]);
    for (const service of services) await until(() => isReady(service));
  });
  afterEach(async () => {
    for (const service of services) await service[Symbol.asyncDispose]();
    await nats[Symbol.asyncDispose]();
  });

  test("are set, shown, taken from and settled at every node alike", async () => {
    const [a, b] = services as [TestService, TestService];
    await expectProblem(await ask(b, "work/take"), "not_found");
    expect((await set(b, "work")).place).toBe(0);
    await publish(a.url, "x", 1);
    await publish(a.url, "y", 2);
    const [first] = await take(a, "work", "wait=60s&max=1");
    const [second] = await take(b, "work", "wait=60s&max=1");
    expect([first, second].map((one) => one && "event" in one && one.event.data)).toEqual([1, 2]);
    if (first === undefined || second === undefined) throw new Error("nothing was taken");
    expect(await ack(b, "work", [first])).toEqual({ done: 1, unknown: [] });
    expect(await ack(a, "work", [first, second])).toEqual({ done: 1, unknown: [first.delivery] });
    const infos = await Promise.all(services.map(async (one) => (await fetch(at(one, "work"))).json()));
    expect(infos[0]).toMatchObject({ place: 2, lag: 0, in_flight: 0 });
    expect(infos[1]).toEqual(infos[0]);
    const lists = await Promise.all(services.map(async ({ url }) => (await fetch(`${url}/api/consumers`)).json()));
    expect(lists[0]).toEqual(lists[1]);
  });

  test("continue where they were, at another node, when theirs stops", async () => {
    const [a] = services as [TestService, TestService];
    await set(a, "work", { order: "all" });
    for (const n of [1, 2, 3]) await publish(a.url, "x", n);
    await ack(a, "work", await take(a, "work", "wait=60s&max=1"));
    const [owner, other] = await ownerAndOther();
    await owner.stop();
    const [next] = await take(other, "work");
    expect(next).toMatchObject({ attempt: 1, event: { data: 2 } });
  });

  test("deliver to WebSockets of every node", async () => {
    const [a] = services as [TestService, TestService];
    await set(a, "work", { order: "all" });
    const [, other] = await ownerAndOther();
    using socket = await TestSocket.open(other.url, "pattern=.");
    socket.send({ type: "consume", ref: 1, consumer: "work", credit: 1 });
    expect(await socket.nextJson()).toEqual({ type: "ack", ref: 1 });
    for (const n of [1, 2]) {
      const event = await publish(a.url, "x", n);
      const got = await socket.nextJson<DeliveryMessage>();
      expect(got).toMatchObject({ type: "delivery", consumer: "work", attempt: 1, event: { ...event } });
      socket.send({ type: "ack", ref: 2, deliveries: [got.delivery] });
      expect(await socket.nextJson()).toEqual({ type: "settled", ref: 2, done: 1, unknown: [] });
    }
  });
});
