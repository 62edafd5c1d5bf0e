import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import type { ErrorCode } from "../../src/protocol/problem.ts";
import { Binary } from "../helpers/binary.ts";
import { exchange, expectRawProblem, MARKER, post, publish, requestText } from "../helpers/http.ts";
import { TestSocket } from "../helpers/socket.ts";

let binary: Binary;
/** What the binary logs at its start; afterwards it should log only refusals. */
let greeting: string;

beforeAll(async () => {
  binary = await Binary.start();
  await publish(binary.url, "first");
  greeting = binary.stderr;
});

afterEach(async () => {
  const { id } = await publish(binary.url, "still.here", MARKER);
  expect((await fetch(`${binary.url}/api/events/${id}`)).status).toBe(200);
});

afterAll(async () => {
  const said = binary.stderr.slice(greeting.length).split("\n").filter(Boolean);
  expect(said.filter((line) => !/ info {2}refused address=/.test(line))).toEqual([]);
  expect(binary.stderr).not.toContain(MARKER);
  expect(await binary.stop()).toBe(0);
  await binary[Symbol.asyncDispose]();
});

const envelope = (rest: string) => `{"topic":"a","data":"${MARKER}"${rest}`;

const bodies: readonly (readonly [situation: string, body: string, code: ErrorCode])[] = [
  ["nothing", "", "json_invalid"],
  ["JSON that is cut off", envelope(""), "json_invalid"],
  ["JSON that is cut off in an escape", `{"topic":"a","data":"\\u00`, "json_invalid"],
  ["100,000 nested arrays", `{"topic":"a","data":${"[".repeat(100_000)}${"]".repeat(100_000)}}`, "json_invalid"],
  ["100,000 nested objects", `{"topic":"a","data":${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}}`, "json_invalid"],
  ["2 MiB", envelope(`,"source":"${"x".repeat(2 ** 21)}"}`), "payload_too_large"],
  ["a number as topic", '{"topic":5}', "topic_invalid"],
  ["an unknown member", envelope(',"when":"now"}'), "parameter_unknown"],
  ["a duplicate member", envelope(',"topic":"b"}'), "parameter_invalid"],
  ["a lone surrogate in the topic", '{"topic":"\\udfff"}', "topic_invalid"],
  ["a NUL in the topic", '{"topic":"a\\u0000b"}', "topic_invalid"],
  ["a NUL between tokens", '{"topic":"a"\0}', "json_invalid"],
  ["a line break in a string", '{"topic":"a","data":"b\nc"}', "json_invalid"],
  ["an object that pollutes", '{"topic":"a","__proto__":{"data":1}}', "parameter_unknown"],
];

const requests: readonly (readonly [request: string, code: ErrorCode, headers?: readonly string[]])[] = [
  ["POST /api/events/publish/a%00b", "topic_invalid"],
  ["POST /api/events/publish/a%2Fb", "topic_invalid"],
  ["POST /api/events/publish/%ED%A0%80", "topic_invalid"],
  ["POST /api/events/publish/a%", "topic_invalid"],
  ["GET /api/events/%00", "not_found"],
  ["GET /api/events/1%2F2", "not_found"],
  ["GET /../../etc/passwd", "not_found"],
  ["GET /%2e%2e%2f%2e%2e%2fetc%2fpasswd", "not_found"],
  ["GET /api/events/history?last=-1", "parameter_invalid"],
  ["GET /api/events/history?last=1e9", "parameter_invalid"],
  ["GET /api/events/history?from=yesterday", "parameter_invalid"],
  ["GET /api/events/history?topic=%5B", "pattern_invalid"],
  ["GET /api/events/history?pattern=%5B", "pattern_invalid"],
  ["GET /api/topics?pattern=%5B", "pattern_invalid"],
  ["GET /api/events/stream?pattern=%5B", "pattern_invalid"],
  ["GET /api/events/stream?since=yesterday", "parameter_invalid"],
  ["GET /api/events/stream?since=1796022000", "parameter_invalid"],
  ["GET /api/topics?limit=0", "parameter_invalid"],
  ["GET /api/topics?after=%ED%A0%80", "parameter_invalid"],
  ["GET /api/events/history", "origin_forbidden", ["Host: a"]],
  ["GET /api/events/history", "origin_forbidden", ["Host: evil.example"]],
  ["GET /api/events/history", "parameter_invalid", ["Host: 127.0.0.1", "Host: evil.example"]],
  ["GET /api/events/history", "parameter_invalid", ["Host: http://127.0.0.1/"]],
  ["GET /api/events/history", "parameter_invalid", ["Host: \xFF\xFE"]],
  ["GET /api/events/publish", "method_not_allowed"],
  ["DELETE /api/events/history", "method_not_allowed"],
  ["OPTIONS /api/events/publish", "method_not_allowed"],
  ["POST /api/events/publish", "media_type_unsupported", ["Content-Type: text/xml"]],
  ["POST /api/events/publish", "media_type_unsupported", ["Content-Type: multipart/form-data; boundary=x"]],
  ["POST /api/events/publish", "media_type_unsupported", ["Content-Encoding: br"]],
  ["POST /api/events/publish/a", "media_type_unsupported", ["Content-Type: application/octet-stream"]],
  ["GET /api/events/subscribe", "upgrade_required"],
];

const UPGRADE = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"];
const KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";

const subscriptions: readonly (readonly [query: string, code: ErrorCode])[] = [
  ["pattern=%5B", "pattern_invalid"],
  ["pattern=", "pattern_invalid"],
  [`pattern=${"a".repeat(257)}`, "pattern_invalid"],
  ["since=yesterday", "parameter_invalid"],
  ["last=-1", "parameter_invalid"],
  ["last=1&since=all", "parameter_invalid"],
  ["topic=a", "parameter_unknown"],
  ["pattern=a&".repeat(65), "parameter_invalid"],
];

describe("the binary answers with the documented error, and continues, after", () => {
  for (const [situation, body, code] of bodies) {
    test(`a body of ${situation}: ${code}`, async () => {
      const answer = await exchange(binary.url, requestText("POST /api/events/publish", [], body));
      expectRawProblem(answer, code);
    });
  }

  for (const [request, code, headers = []] of requests) {
    test(`${[request, ...headers].join(", ")}: ${code}`, async () => {
      expectRawProblem(await exchange(binary.url, requestText(request, headers, envelope("}"))), code);
    });
  }

  for (const [query, code] of subscriptions) {
    test(`a WebSocket with ${query.slice(0, 40)}: ${code}`, async () => {
      const request = requestText(`GET /api/events/subscribe?${query}`, [...UPGRADE, KEY]);
      expectRawProblem(await exchange(binary.url, request), code);
    });
  }
});

const frames: readonly (readonly [situation: string, frame: string | Uint8Array, code: ErrorCode])[] = [
  ["bytes", Buffer.from('{"type":"ping"}'), "json_invalid"],
  ["no bytes", new Uint8Array(), "json_invalid"],
  ["nothing", "", "json_invalid"],
  ["a number", "5", "json_invalid"],
  ["JSON that is cut off", '{"type":"ping"', "json_invalid"],
  ["100,000 brackets", "[".repeat(100_000), "json_invalid"],
  ["no type", "{}", "parameter_invalid"],
  ["a type of the prototype", '{"type":"constructor"}', "parameter_invalid"],
  ["a publish without a topic", '{"type":"publish"}', "topic_invalid"],
  ["a publish of a pattern", '{"type":"publish","topic":"a*"}', "topic_invalid"],
  ["a subscribe to nothing", '{"type":"subscribe"}', "pattern_invalid"],
  ["a subscribe to an unclosed class", '{"type":"subscribe","pattern":"["}', "pattern_invalid"],
  ["an unknown member", '{"type":"ping","now":true}', "parameter_unknown"],
  ["a ref that is an object", '{"type":"ping","ref":{}}', "parameter_invalid"],
];

describe("a WebSocket stays open, and says what was wrong, after a frame of", () => {
  for (const [situation, frame, code] of frames) {
    test(`${situation}: ${code}`, async () => {
      using socket = await TestSocket.open(binary.url, "pattern=none");
      const error = await socket.ask<{ type: string; code: string; detail: string }>(frame);
      expect(error).toMatchObject({ type: "error", code });
      expect(error.detail.length).toBeGreaterThan(10);
      expect(await socket.ask({ type: "ping", ref: 1 })).toEqual({ type: "pong", ref: 1 });
    });
  }
});

test("a WebSocket is closed with 1009 after a frame of 2 MiB", async () => {
  using socket = await TestSocket.open(binary.url, "pattern=none");
  socket.send(`"${"x".repeat(2 ** 21)}"`);
  expect((await socket.closed).code).toBe(1009);
});

test("a thousand bad requests at once are each answered", async () => {
  const answers = await Promise.all(Array.from({ length: 1000 }, () => post(binary.url, envelope(""))));
  expect(answers.map(({ status }) => status)).toEqual(Array(1000).fill(400));
});
