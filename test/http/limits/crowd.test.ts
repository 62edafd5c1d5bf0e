import { describe, expect, test } from "bun:test";
import { TURN_REQUESTS } from "../../../src/http/limits/turns.ts";
import { ServerProcess } from "../../client/server-process.ts";
import { Flood } from "../../helpers/flood.ts";
import { exchange, expectRawProblem, publish, RawConnection, requestText } from "../../helpers/http.ts";
import { sharedService } from "../../helpers/service.ts";

const UPGRADE = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"];
const KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
const PATTERNS = Array.from({ length: 60 }, (_, index) => `pattern=*x${index}*[a-c]*`).join("&");
/** Answers that a flood gets while one event is published: without a bound, as many as there is time for. */
const MANY = 1000;

const floods = [
  ["for the documentation", requestText("GET /swagger/json", ["Connection: close"])],
  ["for the metrics", requestText("GET /metrics", ["Connection: close"])],
  ["to subscribe to 60 patterns", requestText(`GET /api/events/subscribe?${PATTERNS}`, [...UPGRADE, KEY])],
] as const;

describe("new connections without end", () => {
  for (const [what, request] of floods) {
    test(`${what} do not keep a publish waiting`, async () => {
      await using server = await ServerProcess.start();
      using flood = new Flood(server.url, 50, request);
      await flood.more(100);
      for (let count = 0; count < 3; count++) {
        const before = flood.answered;
        await publish(server.url, "a");
        expect(flood.answered - before).toBeLessThan(MANY);
      }
    });
  }
});

describe("5,000 requests in one write", () => {
  const service = sharedService();
  const pipelined = [
    ["GET /healthz", requestText("GET /healthz", ["Host: x"])],
    ["GET /nothing", requestText("GET /n", ["Host: x"])],
    ["a rejected publish", requestText("POST /api/events/publish/a..b", ["Host: x"], "1")],
  ] as const;
  for (const [what, request] of pipelined) {
    test(`of ${what} are not all answered in one turn`, async () => {
      using connection = await RawConnection.open(service.url);
      connection.write(request.repeat(5000));
      let answers = 0;
      while ((await connection.answer()) !== undefined) answers++;
      // Bun closes a connection on which a request comes before the last one was answered.
      expect(answers).toBeLessThanOrEqual(TURN_REQUESTS);
      expect((await publish(service.url, "still.here")).topic).toBe("still.here");
    });
  }

  test("do not change how one request after another is answered", async () => {
    using connection = await RawConnection.open(service.url);
    for (let count = 0; count < 3; count++) {
      connection.write(requestText("GET /healthz"));
      expect((await connection.answer())?.status).toBe(200);
    }
  });
});

describe("a rejected publish", () => {
  const service = sharedService();

  test("is answered as usual", async () => {
    const answer = await exchange(service.url, requestText("POST /api/events/publish", [], "{"));
    expectRawProblem(answer, "json_invalid");
  });
});
