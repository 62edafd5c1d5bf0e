const KEY_NAME = "Idempotency-Key: ";
/** Coprime to every number of topics that is used, so that its multiples pass through all of them out of order. */
const STRIDE = 611_953;

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
  /** Each request carries an `Idempotency-Key`, which `withNewKey` exchanges for one of its own. */
  readonly hasKey?: boolean;
}

/** Topics that share the first segment, so that the pattern `site7.*` is a hundredth of a thousand topics. */
const SENSORS = 10;

export function topicName(index: number): string {
  return `site${Math.floor(index / SENSORS)}.sensor${index % SENSORS}`;
}

/** How many first segments this many topics have. */
export function siteCount(topics: number): number {
  return topics / SENSORS;
}

export interface RequestOptions {
  /** Only sent with POST; default is empty. */
  readonly body?: string;
  /** Default is JSON. */
  readonly contentType?: string;
  readonly token?: string | undefined;
  readonly hasKey?: boolean | undefined;
}

/** One request as it goes over the wire. */
export function httpRequest(
  method: "GET" | "POST",
  path: string,
  { body = "", contentType = "application/json", token, hasKey }: RequestOptions = {},
): Buffer {
  const lines = [`${method} ${path} HTTP/1.1`, "Host: 127.0.0.1"];
  if (hasKey) lines.push(KEY_NAME + crypto.randomUUID());
  if (token !== undefined) lines.push(`Authorization: Bearer ${token}`);
  if (method === "POST") lines.push(`Content-Type: ${contentType}`, `Content-Length: ${Buffer.byteLength(body)}`);
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n${method === "POST" ? body : ""}`);
}

/** The same request with another key. */
export function withNewKey(request: Buffer): Buffer {
  const copy = Buffer.from(request);
  copy.write(crypto.randomUUID(), copy.indexOf(KEY_NAME) + KEY_NAME.length, "latin1");
  return copy;
}

/** Publish requests to send in turn, all different. */
export function publishRequests(body: Body, count: number): Buffer[] {
  const { tokens = [], hasKey } = body;
  return Array.from({ length: Math.max(count, tokens.length) }, (_, index) => {
    const lines = envelopes(body, body.events);
    const contentType = body.events === 1 ? "application/json" : "application/x-ndjson";
    const token = tokens[index % tokens.length];
    return httpRequest("POST", "/api/events/publish", { body: lines.join("\n"), contentType, token, hasKey });
  });
}

/** This many envelopes, with topics at random. */
export function envelopes(body: Body, count: number): string[] {
  return Array.from({ length: count }, () => envelope(body, below(body.topics)));
}

/**
 * The request that publishes the events of a history from number `first` on: each topic comes once, in no order, and
 * then any at random.
 */
export function historyRequest(body: Body, first: number): Buffer {
  const lines = Array.from({ length: body.events }, (_, index) => {
    const number = first + index;
    return envelope(body, number < body.topics ? (number * STRIDE) % body.topics : below(body.topics));
  });
  return httpRequest("POST", "/api/events/publish", {
    body: lines.join("\n"),
    contentType: "application/x-ndjson",
    token: body.tokens?.[0],
  });
}

function envelope({ sources, dataBytes }: Body, topicIndex: number): string {
  const source = sources === 0 ? "" : `,"source":"source${below(sources)}"`;
  const data = { value: below(1e6) / 100, unit: "kelvin", text: "x".repeat(Math.max(0, dataBytes - 45)) };
  return `{"topic":"${topicName(topicIndex)}","data":${JSON.stringify(data)}${source}}`;
}

/** A whole number at random, from 0 to below `bound`. */
export function below(bound: number): number {
  return Math.floor(Math.random() * bound);
}
