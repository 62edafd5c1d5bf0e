import { requestText } from "../../helpers/http.ts";
import { HANDSHAKE } from "../../helpers/raw-web-socket.ts";

/** What is mutated: requests over HTTP, and frames of a WebSocket. */
export const requests: readonly string[] = [
  requestText("POST /api/events/publish", ["Idempotency-Key: k"], '{"topic":"a.b","data":{"n":1.10},"source":"s"}'),
  requestText("POST /api/events/publish", ["Content-Type: application/x-ndjson"], '{"topic":"a"}\n{"topic":"b"}\n'),
  requestText("POST /api/events/publish/a.b?source=s", ["Content-Type: text/plain"], "text"),
  requestText("POST /api/events/publish", ["Transfer-Encoding: chunked"], '5\r\n{"top\r\n8\r\nic":"a"}\r\n0\r\n\r\n'),
  requestText("GET /api/events/history?pattern=a.%7Bb,c%7D&last=5&from=10m&source=s"),
  requestText("GET /api/events/1", ["If-None-Match: *", "Range: bytes=0-5"]),
  requestText("GET /api/topics?pattern=*&limit=5&after=a"),
  requestText("GET /api/events/stream?since=all", ["Accept: application/x-ndjson", "Last-Event-ID: 1"]),
  requestText("GET /api/events/subscribe?pattern=a*", HANDSHAKE),
  requestText("DELETE /api/tokens/x", ["Authorization: Bearer ebt_x"]),
];
export const frames: readonly string[] = [
  '{"type":"publish","ref":1,"topic":"a","data":{"n":1},"source":"s"}',
  '{"type":"subscribe","ref":2,"pattern":"{a,b}.*"}',
  '{"type":"unsubscribe","ref":3,"pattern":"[a-z]*"}',
  '{"type":"ping","ref":4}',
];
const tokens = [
  "{",
  "}",
  "[",
  "]",
  '"',
  "\\",
  ",",
  ":",
  "\r\n",
  "\0",
  "*",
  "?",
  "%",
  "1e999",
  "null",
  "\ud800",
  "é",
  "ÿ",
];

/** One of the texts with some of it removed, repeated, replaced, or inserted from another one. */
export function mutated(texts: readonly string[], random: () => number): string {
  const other = oneOf(texts, random);
  let result = oneOf(texts, random);
  for (let changes = Math.floor(random() * 4); changes >= 0; changes--) {
    const [from, to] = [place(result, random), place(result, random)].sort((a, b) => a - b) as [number, number];
    const pieces = [
      "",
      result.slice(from, to).repeat(2),
      other.slice(place(other, random)),
      tokens[Math.floor(random() * tokens.length)] ?? "",
      String.fromCharCode(Math.floor(random() * 256)),
      "x".repeat(Math.floor(random() ** 4 * 20_000)),
    ];
    result =
      result.slice(0, from) + pieces[Math.floor(random() * pieces.length)] + result.slice(random() < 0.5 ? from : to);
  }
  return result;
}

function place(text: string, random: () => number): number {
  return Math.floor(random() * (text.length + 1));
}

function oneOf(texts: readonly string[], random: () => number): string {
  return texts[Math.floor(random() * texts.length)] ?? "";
}
