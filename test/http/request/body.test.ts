import { describe, expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import { readBody } from "../../../src/http/request/body.ts";
import {
  exchange,
  expectOk,
  expectProblem,
  expectRawProblem,
  history,
  MARKER,
  post,
  RawConnection,
  requestText,
} from "../../helpers/http.ts";
import { sharedService } from "../../helpers/service.ts";

const service = sharedService({ maxBody: 1024 });
const PUBLISH = "POST /api/events/publish";
const BODY = '{"topic":"a"}';

/** An envelope of this many bytes. */
function envelopeOf(bytes: number): string {
  return `{"topic":"a","data":"${"x".repeat(bytes - 23)}"}`;
}

function chunked(...chunks: string[]): string {
  const pieces = [...chunks, ""].map((chunk) => `${Buffer.byteLength(chunk).toString(16)}\r\n${chunk}\r\n`);
  return requestText(PUBLISH, ["Transfer-Encoding: chunked"], pieces.join(""));
}

const types = [
  ["publish", undefined, 200],
  ["publish", "", 200],
  ["publish", "application/json", 200],
  ["publish", "application/json; charset=utf-8", 200],
  ["publish", 'application/json;charset="UTF-8"', 200],
  ["publish", "Application/JSON", 200],
  ["publish", "application/x-www-form-urlencoded", 200],
  ["publish", "application/x-ndjson", 200],
  ["publish", "text/plain", 415],
  ["publish", "application/json; charset=latin1", 415],
  ["publish", "application/json, text/plain", 415],
  ["publish", "application/vnd.api+json", 200],
  ["publish", "Application/CloudEvents+JSON; charset=utf-8", 200],
  ["publish", "text/json", 200],
  ["publish", "application/+json", 415],
  ["publish", "application/x+json+xml", 415],
  ["publish", "image/svg+json", 415],
  ["publish", "application/cloudevents+json; charset=utf-16", 415],
  ["publish", "application/xml", 415],
  ["publish", "multipart/form-data; boundary=x", 415],
  ["publish", "constructor", 415],
  ["publish", "nonsense", 415],
  ["publish/a", undefined, 200],
  ["publish/a", "application/json", 200],
  ["publish/a", "application/x-www-form-urlencoded", 200],
  ["publish/a", "text/plain", 200],
  ["publish/a", "text/json", 200],
  ["publish/a", "application/cloudevents+json", 200],
  ["publish/a", "Text/Plain; charset=UTF-8", 200],
  ["publish/a", "text/plain; charset=utf-16", 415],
  ["publish/a", "application/x-ndjson", 415],
  ["publish/a", "multipart/form-data; boundary=x", 415],
] as const;

describe("a body", () => {
  for (const [path, type, status] of types) {
    test(`of type ${type} for ${path} is answered with ${status}`, async () => {
      const headers = type === undefined ? [] : [`Content-Type: ${type}`];
      const answer = await exchange(service.url, requestText(`POST /api/events/${path}`, headers, BODY));
      expect(answer?.status).toBe(status);
      if (status === 415) expect(expectRawProblem(answer, "media_type_unsupported").detail).toContain("must be");
    });
  }

  test("as curl -d sends it by itself is JSON", async () => {
    const curl = Bun.spawn(["curl", "-sS", `${service.url}/api/events/publish`, "-d", BODY]);
    expect(JSON.parse(await new Response(curl.stdout).text())).toMatchObject({ topic: "a" });
  });

  test("that is compressed is rejected, with that reason", async () => {
    const body = gzipSync(BODY);
    const headers = { "Content-Encoding": "gzip", "Content-Type": "application/json" };
    const response = await fetch(`${service.url}/api/events/publish`, { method: "POST", headers, body });
    const problem = await expectProblem(response, "media_type_unsupported");
    expect(problem.detail).toContain("without Content-Encoding");
  });

  test("with Content-Encoding: identity is taken", async () => {
    const answer = await exchange(service.url, requestText(PUBLISH, ["Content-Encoding: identity"], BODY));
    expect(answer?.status).toBe(200);
  });

  test("with a byte order mark is taken without it", async () => {
    const answer = await (await post(service.url, '\uFEFF{"topic":"a","data":"\uFEFFkept"}')).text();
    expect(answer).toContain('"data":"\uFEFFkept"');
  });

  test("that is not UTF-8 is rejected, not mended", async () => {
    const bytes = Buffer.from('{"topic":"caf\xE9"}', "latin1");
    const problem = await expectProblem(await post(service.url, bytes), "json_invalid");
    expect(problem).toMatchObject({ position: 13, detail: expect.stringContaining("not valid UTF-8") });
  });
});

describe("a body within the limit", () => {
  test("is taken to the last byte", async () => {
    await expectOk(await post(service.url, envelopeOf(1024)));
  });

  test("is taken in chunks", async () => {
    const answer = await exchange(service.url, chunked('{"top', 'ic":"chun', 'ked"}'));
    expect(JSON.parse(answer?.body ?? "")).toMatchObject({ topic: "chunked" });
  });

  test("is taken in chunks to the last byte", async () => {
    const text = envelopeOf(1024);
    expect((await exchange(service.url, chunked(text.slice(0, 1000), text.slice(1000))))?.status).toBe(200);
  });

  test("is asked for when the client waits for 100 Continue", async () => {
    using connection = await RawConnection.open(service.url);
    connection.write(requestText(PUBLISH, ["Expect: 100-continue", `Content-Length: ${BODY.length}`]));
    expect((await connection.answer())?.status).toBe(100);
    connection.write(BODY);
    expect((await connection.answer())?.status).toBe(200);
  });

  test("may arrive byte by byte", async () => {
    using connection = await RawConnection.open(service.url);
    for (const byte of requestText(PUBLISH, [], BODY)) connection.write(byte);
    expect((await connection.answer())?.status).toBe(200);
  });
});

describe("a body over the limit", () => {
  test("is rejected by its Content-Length, before it arrives", async () => {
    const answer = await exchange(service.url, requestText(PUBLISH, ["Content-Length: 1025"]));
    expect(expectRawProblem(answer, "payload_too_large").limit).toBe(1024);
  });

  test("is rejected in chunks, before they end", async () => {
    const endless = chunked(envelopeOf(1024), MARKER).replace(/0\r\n\r\n$/, "");
    expect(expectRawProblem(await exchange(service.url, endless), "payload_too_large").limit).toBe(1024);
  });

  for (const header of ["Content-Type: application/json", "Transfer-Encoding: chunked", "Expect:"]) {
    test(`of 2 MiB is rejected for curl with ${header}`, async () => {
      const url = `${service.url}/api/events/publish`;
      const args = ["-sS", "-H", header, "--data-binary", "@-", "-w", " %{http_code}", url];
      const curl = Bun.spawn(["curl", ...args], { stdin: Buffer.alloc(2 ** 21, "[") });
      const output = await new Response(curl.stdout).text();
      expect(output).toMatch(/"code":"payload_too_large","limit":1024\} 413$/);
    });
  }

  for (const [line, code] of [
    [PUBLISH, "payload_too_large"],
    ["POST /api/events/publish?what=1", "parameter_unknown"],
    ["POST /api/nothing", "not_found"],
  ] as const) {
    test(`of a megabyte is taken whole before ${line} is rejected on a connection that closes`, async () => {
      using connection = await RawConnection.open(service.url);
      const request = requestText(line, ["Connection: close"], "x".repeat(2 ** 20));
      connection.write(request.slice(0, -1));
      let isAnswered = false;
      const answered = connection.answer().finally(() => {
        isAnswered = true;
      });
      // Once these are answered, everything sent before them has been handled.
      for (let round = 0; round < 5; round++) await exchange(service.url, requestText("GET /healthz"));
      expect(isAnswered).toBe(false);
      connection.write(request.slice(-1));
      expectRawProblem(await answered, code);
    });
  }

  test("leaves nothing behind", async () => {
    const before = service.bus.head;
    await expectProblem(await post(service.url, envelopeOf(1025)), "payload_too_large");
    expect(service.bus.head).toBe(before);
  });
});

test("a body on GET is ignored", async () => {
  const head = service.bus.head;
  const answer = await exchange(service.url, requestText("GET /api/events/history?last=1", [], BODY));
  expect(answer?.status).toBe(200);
  expect(service.bus.head).toBe(head);
});

test("a request of HTTP/1.0 is answered", async () => {
  const answer = await exchange(
    service.url,
    requestText(PUBLISH, [], '{"topic":"old"}').replace("HTTP/1.1", "HTTP/1.0"),
  );
  expect(answer?.status).toBe(200);
  expect((await history(service.url, "last=1"))[0]?.topic).toBe("old");
});

describe("a body whose chunks are all there", () => {
  /** Whether a later turn of the loop comes before the end of the body. */
  async function leavesTurns(chunk: Uint8Array, count: number): Promise<boolean> {
    let left = count;
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => (left-- > 0 ? controller.enqueue(chunk) : controller.close()),
    });
    let isRead = false;
    const reading = Promise.resolve(readBody(new Request("http://a", { method: "POST", body }), 2 ** 30));
    void reading.then(() => {
      isRead = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    const leaves = !isRead;
    expect((await reading).length).toBe(chunk.length * count);
    return leaves;
  }

  test("leaves turns of the loop to others if they are small", async () => {
    expect(await leavesTurns(new Uint8Array(1), 1000)).toBe(true);
  });

  test("is read at once if they are large", async () => {
    expect(await leavesTurns(new Uint8Array(100_000), 10)).toBe(false);
  });
});
