import { describe, expect, test } from "bun:test";
import type { EventMessage } from "../../../src/protocol/event.ts";
import { exchange, expectOk, expectProblem, expectRawProblem, post, requestText } from "../../helpers/http.ts";
import { sharedService, startService } from "../../helpers/service.ts";

const service = sharedService();
const REPLAYED = "idempotency-replayed";

/** Publishes with a key of any bytes, which `fetch` does not send. */
function postRaw(key: string | Uint8Array, body = '{"topic":"a"}') {
  const bytes = typeof key === "string" ? Buffer.from(key) : key;
  const [before = "", after = ""] = requestText("POST /api/events/publish", ["Idempotency-Key: @"], body).split("@");
  return exchange(service.url, Buffer.concat([Buffer.from(before), bytes, Buffer.from(after)]));
}

describe("a publish with an Idempotency-Key", () => {
  test("is answered without the replay header the first time", async () => {
    const response = await post(service.url, { topic: "a" }, { key: "first" });
    expect(response.headers.has(REPLAYED)).toBe(false);
    await expectOk(response);
  });

  test("returns the first event when it is repeated", async () => {
    const envelope = { topic: "a", data: { total: 1 }, source: "s" };
    const first = await (await post(service.url, envelope, { key: "again" })).text();
    const head = service.bus.head;
    const second = await post(service.url, envelope, { key: "again" });
    expect(second.headers.get(REPLAYED)).toBe("true");
    expect(await second.text()).toBe(first);
    expect(service.bus.head).toBe(head);
  });

  test("commits once when it is repeated at the same time", async () => {
    const head = service.bus.head;
    const responses = await Promise.all(
      Array.from({ length: 20 }, () => post(service.url, { topic: "a" }, { key: "at once" })),
    );
    const events = await Promise.all(responses.map((response) => expectOk<EventMessage>(response)));
    expect(new Set(events.map(({ id }) => id)).size).toBe(1);
    expect(responses.filter((response) => !response.headers.has(REPLAYED))).toHaveLength(1);
    expect(service.bus.head).toBe(head + 1);
  });

  const others = [
    ["topic", { topic: "b", data: 1, source: "s" }],
    ["data", { topic: "a", data: 2, source: "s" }],
    ["source", { topic: "a", data: 1, source: "t" }],
  ] as const;
  for (const [member, envelope] of others) {
    test(`is rejected when it is repeated with another ${member}`, async () => {
      await post(service.url, { topic: "a", data: 1, source: "s" }, { key: `other ${member}` });
      const head = service.bus.head;
      await expectProblem(await post(service.url, envelope, { key: `other ${member}` }), "idempotency_conflict");
      expect(service.bus.head).toBe(head);
    });
  }

  test("is a repeat when only white space differs", async () => {
    await post(service.url, '{"topic":"a","data":[1]}', { key: "space" });
    const again = await post(service.url, '{ "topic" : "a",\n"data":[1]}\n', { key: "space" });
    expect(again.headers.get(REPLAYED)).toBe("true");
  });

  test("is the same key in both forms of publish", async () => {
    const { id } = await expectOk<EventMessage>(await post(service.url, { topic: "form", data: 1 }, { key: "form" }));
    const headers = { "Idempotency-Key": "form" };
    const again = await fetch(`${service.url}/api/events/publish/form`, { method: "POST", body: "1", headers });
    expect((await expectOk<EventMessage>(again)).id).toBe(id);
  });

  test("is answered for an NDJSON body with the first ids", async () => {
    const request = { type: "application/x-ndjson", key: "many" };
    const first = await (await post(service.url, '{"topic":"a"}\n{"topic":"b"}\n', request)).text();
    const again = await post(service.url, '{"topic":"a"}\n{"topic":"b"}\n', request);
    expect(again.headers.get(REPLAYED)).toBe("true");
    expect(await again.text()).toBe(first);
  });

  test("is rejected for an NDJSON body with one line more", async () => {
    const request = { type: "application/x-ndjson", key: "more" };
    await post(service.url, '{"topic":"a"}\n', request);
    const again = await post(service.url, '{"topic":"a"}\n{"topic":"a"}\n', request);
    await expectProblem(again, "idempotency_conflict");
  });

  test("does not spend the key when the publish is rejected", async () => {
    await expectProblem(await post(service.url, { topic: "a b" }, { key: "unspent" }), "topic_invalid");
    const response = await post(service.url, { topic: "a" }, { key: "unspent" });
    expect(response.headers.has(REPLAYED)).toBe(false);
    await expectOk(response);
  });

  test("is remembered when the event itself was pruned", async () => {
    await using small = await startService({ maxHistory: 1 });
    const event = await expectOk<EventMessage>(await post(small.url, { topic: "a" }, { key: "gone" }));
    await post(small.url, { topic: "b" });
    await small.bus.prune();
    expect(await expectOk<EventMessage>(await post(small.url, { topic: "a" }, { key: "gone" }))).toEqual(event);
  });
});

describe("an Idempotency-Key", () => {
  const taken = [
    ["255 bytes", "k".repeat(255)],
    ["255 bytes of UTF-8", "日".repeat(85)],
    ["bytes that are no UTF-8", new Uint8Array([0xff, 0xfe])],
    ["white space inside", "a b\tc"],
    ["a quote", '"quoted"'],
  ] as const;
  for (const [situation, key] of taken) {
    test(`may have ${situation}`, async () => {
      const first = await postRaw(key);
      expect(first?.status).toBe(200);
      const again = await postRaw(key);
      expect(again?.headers.get(REPLAYED)).toBe("true");
      expect(again?.body).toBe(first?.body ?? "");
    });
  }

  const refused = [
    ["nothing", ""],
    ["256 bytes", "k".repeat(256)],
    ["256 bytes of UTF-8", `${"日".repeat(85)}k`],
  ] as const;
  for (const [situation, key] of refused) {
    test(`may not have ${situation}`, async () => {
      const head = service.bus.head;
      const problem = expectRawProblem(await postRaw(key), "parameter_invalid");
      expect(problem).toMatchObject({ parameter: "Idempotency-Key", limit: 255 });
      expect(service.bus.head).toBe(head);
    });
  }

  test("of one publisher is not taken for that of another", async () => {
    const [upper, lower] = await Promise.all([
      post(service.url, { topic: "a" }, { key: "CASE" }),
      post(service.url, { topic: "b" }, { key: "case" }),
    ]);
    expect([upper.status, lower.status]).toEqual([200, 200]);
  });
});
