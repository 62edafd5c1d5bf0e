/** What the publisher sends. */
export interface Body {
  /** Events in one request: 1 is a JSON envelope, more are NDJSON. */
  readonly events: number;
  /** Distinct topics, drawn at random. */
  readonly topics: number;
  /** Distinct sources, drawn at random; none when 0. */
  readonly sources: number;
  /** Size of each event's data, about. */
  readonly dataBytes: number;
  /** Secrets, of which each request carries one in turn; left out: none. */
  readonly tokens?: readonly string[];
}

/** Ten topics share the first segment, so that the pattern `site7.*` is a hundredth of a thousand topics. */
export function topicName(index: number): string {
  return `site${Math.floor(index / 10)}.sensor${index % 10}`;
}

/** One request as it goes over the wire. */
export function httpRequest(
  method: "GET" | "POST",
  path: string,
  body = "",
  contentType = "application/json",
  token?: string,
): Buffer {
  const length = Buffer.byteLength(body);
  const entity = method === "GET" ? "\r\n" : `Content-Type: ${contentType}\r\nContent-Length: ${length}\r\n\r\n${body}`;
  const who = token === undefined ? "" : `Authorization: Bearer ${token}\r\n`;
  return Buffer.from(`${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${who}${entity}`);
}

/** Publish requests to send in turn, all different. */
export function publishRequests(body: Body, count: number): Buffer[] {
  const { tokens = [] } = body;
  return Array.from({ length: Math.max(count, tokens.length) }, (_, index) => {
    const lines = Array.from({ length: body.events }, () => envelope(body));
    const contentType = body.events === 1 ? "application/json" : "application/x-ndjson";
    return httpRequest("POST", "/api/events/publish", lines.join("\n"), contentType, tokens[index % tokens.length]);
  });
}

function envelope({ topics, sources, dataBytes }: Body): string {
  const topic = topicName(below(topics));
  const source = sources === 0 ? "" : `,"source":"source${below(sources)}"`;
  const data = { value: below(1e6) / 100, unit: "kelvin", text: "x".repeat(Math.max(0, dataBytes - 45)) };
  return `{"topic":"${topic}","data":${JSON.stringify(data)}${source}}`;
}

function below(bound: number): number {
  return Math.floor(Math.random() * bound);
}
