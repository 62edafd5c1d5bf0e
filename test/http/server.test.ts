import { describe, expect, test } from "bun:test";
import type { EventMessage } from "../../src/protocol/event.ts";
import {
  exchange,
  expectOk,
  expectRawProblem,
  history,
  post,
  publish,
  type RawAnswer,
  RawConnection,
  requestText,
} from "../helpers/http.ts";
import { sharedService, startService } from "../helpers/service.ts";
import { TestSocket } from "../helpers/socket.ts";

const PUBLISH = "POST /api/events/publish";
const request = (topic: string) => requestText(PUBLISH, [], `{"topic":"${topic}"}`);
/** As `request`, with a chunked body that lacks the empty line after its last chunk. */
const chunkedRequest = (topic: string) => {
  const body = `{"topic":"${topic}"}`;
  const chunks = `${body.length.toString(16)}\r\n${body}\r\n0\r\n`;
  return requestText(PUBLISH, ["Transfer-Encoding: chunked"], chunks);
};

describe("a client", () => {
  const service = sharedService();

  test("whose body never ends does not keep others waiting", async () => {
    const slow = await Promise.all(Array.from({ length: 50 }, () => RawConnection.open(service.url)));
    for (const connection of slow) connection.write(request("slow").slice(0, -1));
    expect((await publish(service.url, "quick")).topic).toBe("quick");
    for (const connection of slow) connection.write("}");
    const answers = await Promise.all(slow.map((connection) => connection.answer()));
    expect(answers.map((answer) => answer?.status)).toEqual(Array(50).fill(200));
    for (const connection of slow) connection.terminate();
  });

  const partial = [
    ["in its headers", request("gone").slice(0, 30)],
    ["before its body", request("gone").slice(0, -16)],
    ["in its body", request("gone").slice(0, -1)],
    ["in a chunk", requestText(PUBLISH, ["Transfer-Encoding: chunked"], '8\r\n{"top')],
  ] as const;
  for (const [place, text] of partial) {
    test(`that goes away ${place} publishes nothing and is no failure`, async () => {
      const head = service.bus.head;
      for (const leave of ["end", "terminate"] as const) {
        using connection = await RawConnection.open(service.url);
        connection.write(text);
        // Bytes are handled in the order of their arrival: a request that is answered now came after them.
        expect((await exchange(service.url, requestText("GET /healthz")))?.status).toBe(200);
        connection[leave]();
      }
      expect((await publish(service.url, "after")).id).toBe(head + 1);
    });
  }

  for (const accept of ["application/json", "application/x-ndjson"]) {
    test(`that goes away in the middle of a long history as ${accept} is no failure`, async () => {
      await using large = await startService();
      for (let index = 0; index < 10; index++) await publish(large.url, "a", "x".repeat(1_000_000));
      using connection = await RawConnection.open(large.url);
      connection.write(requestText("GET /api/events/history", [`Accept: ${accept}`]));
      await connection.more();
      connection.terminate();
      expect(await history(large.url, "last=1")).toHaveLength(1);
    });
  }

  test("that does not wait for its response still publishes", async () => {
    const head = service.bus.head;
    using connection = await RawConnection.open(service.url);
    connection.write(request("impatient"));
    connection.end();
    while (service.bus.head === head) await Bun.sleep(1);
    expect((await history(service.url, "last=1"))[0]?.topic).toBe("impatient");
  });

  for (const [name, text] of [
    ["a line break after the body", `${request("behind")}\r\n`],
    ["another request that is malformed", `${request("behind")}nonsense\r\n\r\n`],
    ["a trailer after the chunks", `${chunkedRequest("behind")}X-Trailer: 1\r\n\r\n`],
  ] as const) {
    test(`that is answered 400 for ${name} has published nothing`, async () => {
      const head = service.bus.head;
      using connection = await RawConnection.open(service.url);
      connection.write(text);
      expect((await connection.answer())?.status).toBe(400);
      await publish(service.url, "marker");
      expect(service.bus.head).toBe(head + 1);
    });
  }

  test("may publish a thousand times on one connection", async () => {
    using connection = await RawConnection.open(service.url);
    const head = service.bus.head;
    for (let index = 1; index <= 1000; index++) {
      connection.write(request("kept-alive"));
      expect(JSON.parse((await connection.answer())?.body ?? "").id).toBe(head + index);
    }
  });

  test("may publish a thousand times at once over one WebSocket", async () => {
    using socket = await TestSocket.open(service.url, "pattern=none");
    for (let ref = 0; ref < 1000; ref++) socket.send({ type: "publish", ref, topic: "at-once", data: ref });
    for (let ref = 0; ref < 1000; ref++) {
      expect(await socket.nextJson()).toMatchObject({ type: "ack", ref, event: { topic: "at-once", data: ref } });
    }
  });

  test("that pipelines is disconnected or answered, and never gets a false response", async () => {
    // Bun closes a connection on which a request comes before the last one was answered.
    await using own = await startService();
    using connection = await RawConnection.open(own.url);
    connection.write(Array(5).fill(request("pipelined")).join(""));
    connection.end();
    const answers: RawAnswer[] = [];
    for (let answer = await connection.answer(); answer; answer = await connection.answer()) answers.push(answer);
    const kept = (await history(own.url)).map(({ id }) => id);
    expect(kept).toEqual(expect.arrayContaining(answers.map(({ body }) => JSON.parse(body).id)));
    expect(new Set(kept).size).toBe(kept.length);
  });

  test("is answered among a thousand that publish at once", async () => {
    const head = service.bus.head;
    const responses = await Promise.all(
      Array.from({ length: 1000 }, (_, data) => post(service.url, { topic: "a", data })),
    );
    const events = await Promise.all(responses.map((response) => expectOk<EventMessage>(response)));
    expect(new Set(events.map(({ id }) => id)).size).toBe(1000);
    expect(service.bus.head).toBe(head + 1000);
  });
});

describe("an invalid request", () => {
  const service = sharedService();
  const host = "Host: 127.0.0.1\r\n";
  const body = '{"topic":"a"}';

  const requests = [
    ["words", "hello\r\n\r\n", 400],
    ["a TLS greeting", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400],
    ["HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400],
    ["another version", `GET /healthz HTTP/3.0\r\n${host}\r\n`, 505],
    ["OPTIONS *", requestText("OPTIONS *"), 400],
    ["a lone CR in a header", requestText("GET /healthz", ["X: a\rb"]), 400],
    ["a lone LF in a header", requestText("GET /healthz", ["X: a\nInjected: b"]), 400],
    ["a NUL in a header", requestText("GET /healthz", ["X: a\0b"]), 400],
    ["white space before a colon", requestText("GET /healthz", ["X : a"]), 400],
    ["a folded header", requestText("GET /healthz", ["X: a\r\n b"]), 400],
    ["two lengths", requestText(PUBLISH, ["Content-Length: 3", "Content-Length: 13"], body), 400],
    ["a negative length", requestText(PUBLISH, ["Content-Length: -1"], body), 400],
    ["a length that is no number", requestText(PUBLISH, ["Content-Length: 0x0d"], body), 400],
    ["a length that is too large", requestText(PUBLISH, ["Content-Length: 99999999999999999999"], body), 400],
    ["a length and chunks", requestText(PUBLISH, ["Content-Length: 3", "Transfer-Encoding: chunked"], body), 400],
    ["an unknown coding", requestText(PUBLISH, ["Transfer-Encoding: gzip, chunked"], body), 400],
    ["a chunk without a length", requestText(PUBLISH, ["Transfer-Encoding: chunked"], `zz\r\n${body}\r\n`), 400],
    ["a long URL", requestText(`GET /${"a".repeat(100_000)}`), 431],
    ["a long header", requestText("GET /healthz", [`X: ${"a".repeat(100_000)}`]), 431],
    ["a thousand headers", requestText("GET /healthz", Array(1000).fill("X: a")), 431],
  ] as const;
  for (const [situation, text, status] of requests) {
    test(`is rejected with ${status}: ${situation}`, async () => {
      const head = service.bus.head;
      expect((await exchange(service.url, text))?.status).toBe(status);
      expect((await publish(service.url, "still.here")).id).toBe(head + 1);
    });
  }

  test("cannot put a header into the answer", async () => {
    await service.bus.publish("a", null, "x\r\nInjected: yes");
    await service.bus.publish("a", null, "x\r\nInjected: yes");
    const query = "last=1&source=x%0d%0aInjected:%20yes";
    const answer = await exchange(service.url, requestText(`GET /api/events/history?${query}`));
    expect(answer?.headers.get("link")).toContain("source=x%0D%0AInjected");
    expect(answer?.headers.has("injected")).toBe(false);
  });
});

describe("a server that stops", () => {
  test("answers the publish that is under way, and keeps it", async () => {
    await using service = await startService();
    using connection = await RawConnection.open(service.url);
    connection.write(request("under.way").slice(0, -1));
    expect((await exchange(service.url, requestText("GET /healthz")))?.status).toBe(200);
    const stopped = service.stop();
    connection.write("}");
    expect((await connection.answer())?.status).toBe(200);
    await stopped;
    expect(service.bus.head).toBe(1);
  });

  test("rejects a publish that is still arriving", async () => {
    await using service = await startService();
    using connection = await RawConnection.open(service.url);
    connection.write(request("late").slice(0, 20));
    expect((await exchange(service.url, requestText("GET /healthz")))?.status).toBe(200);
    const stopped = service.stop();
    connection.write(request("late").slice(20));
    expectRawProblem(await connection.answer(), "shutting_down");
    await stopped;
    expect(service.bus.head).toBe(0);
  });

  test("closes WebSockets with 1012, after the answers to what they have sent", async () => {
    await using service = await startService();
    using socket = await TestSocket.open(service.url, "pattern=none");
    socket.send({ type: "publish", topic: "a" });
    expect(await socket.nextJson()).toMatchObject({ type: "ack" });
    await service.stop();
    expect((await socket.closed).code).toBe(1012);
  });

  test("closes idle connections", async () => {
    await using service = await startService();
    using connection = await RawConnection.open(service.url);
    connection.write(requestText("GET /healthz"));
    await connection.answer();
    await service.stop();
    await connection.closed();
  });

  test("may be stopped twice", async () => {
    await using service = await startService();
    await Promise.all([service.stop(), service.stop()]);
    await service.stop();
  });
});
