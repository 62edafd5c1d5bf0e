import { expect } from "bun:test";
import type { Socket } from "bun";
import type { EventMessage } from "../../src/protocol/event.ts";
import { type ErrorCode, type Problem, problems } from "../../src/protocol/problem.ts";
import { DEADLINE_MS } from "./deadline.ts";

/** Put it into what is sent, and `expectProblem` finds it if the server echoes it. */
export const MARKER = "kX7-do-not-echo-me";

/** What only the inside of the server knows: stack lines, names of source files. */
const INSIDE = /\n\s*at |\.ts\b|node:|\/src\/|SQLITE|Error:/;
const MEMBERS = [
  "type",
  "title",
  "status",
  "detail",
  "code",
  "position",
  "line",
  "limit",
  "oldest",
  "parameter",
  "state",
];

/** Checks that the answer is this problem, whole and discreet, and returns it. */
export async function expectProblem(response: Response, code: ErrorCode): Promise<Problem> {
  const body = await response.text();
  expect({ status: response.status, body }).toEqual({ status: problems[code].status, body });
  expect(response.headers.get("content-type")).toBe("application/problem+json; charset=utf-8");
  return checkProblem(body, code);
}

/** The same for an answer that came by {@link exchange}. */
export function expectRawProblem(answer: RawAnswer | undefined, code: ErrorCode): Problem {
  expect(answer?.status).toBe(problems[code].status);
  expect(answer?.headers.get("content-type")).toBe("application/problem+json; charset=utf-8");
  return checkProblem(answer?.body ?? "", code);
}

function checkProblem(body: string, code: ErrorCode): Problem {
  const problem = JSON.parse(body) as Problem;
  const { status, title } = problems[code];
  expect(problem).toMatchObject({ type: `urn:eventbus:problem:${code}`, title, status, code });
  expect(Object.keys(problem).filter((member) => !MEMBERS.includes(member))).toEqual([]);
  expect(problem.detail.length).toBeGreaterThan(10);
  expect(body).not.toMatch(INSIDE);
  expect(body).not.toContain(MARKER);
  return problem;
}

export interface PublishRequest {
  readonly type?: string;
  readonly key?: string;
}

/** `POST /api/events/publish`; what is neither text nor bytes is sent as JSON. */
export function post(url: string, body: unknown, { type, key }: PublishRequest = {}): Promise<Response> {
  const headers: Record<string, string> = { "Content-Type": type ?? "application/json" };
  if (key !== undefined) headers["Idempotency-Key"] = key;
  const bytes = body instanceof Uint8Array ? new Uint8Array(body) : undefined;
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return fetch(`${url}/api/events/publish`, { method: "POST", headers, body: bytes ?? text });
}

/** Publishes one event and returns it; fails the test if it is rejected. */
export async function publish(url: string, topic: string, data?: unknown, source?: string): Promise<EventMessage> {
  return expectOk<EventMessage>(await post(url, { topic, data, source }));
}

/** The same, as clients should do it: with a key, and again while the server responds that it cannot take it now. */
export async function publishSurely(url: string, topic: string, data: unknown): Promise<EventMessage> {
  const key = crypto.randomUUID();
  const deadlineMs = performance.now() + DEADLINE_MS;
  for (;;) {
    const response = await post(url, { topic, data }, { key });
    if (response.status !== 503 || performance.now() > deadlineMs) return expectOk<EventMessage>(response);
  }
}

/** Publishes many events in one NDJSON body. */
export async function publishMany(
  url: string,
  envelopes: readonly unknown[],
): Promise<{ count: number; first_id: number; last_id: number }> {
  const body = envelopes.map((envelope) => `${JSON.stringify(envelope)}\n`).join("");
  return expectOk(await post(url, body, { type: "application/x-ndjson" }));
}

/** The events that `GET /api/events/history?…` answers with. */
export async function history(url: string, query = ""): Promise<EventMessage[]> {
  return expectOk<EventMessage[]>(await fetch(`${url}/api/events/history?${query}`));
}

/** The whole history, oldest first. It is read from its end, so that no pruning can overtake the reader. */
export async function wholeHistory(url: string): Promise<EventMessage[]> {
  const events: EventMessage[] = [];
  for (let before = ""; ; before = `&before=${events.at(-1)?.id ?? 1}`) {
    const page = await history(url, `last=10000${before}`);
    events.push(...page);
    if (page.length < 10_000) return events.reverse();
  }
}

/** The parsed body of an answer that must be 200. */
export async function expectOk<T>(response: Response): Promise<T> {
  const body = await response.text();
  expect({ status: response.status, body }).toEqual({ status: 200, body });
  return JSON.parse(body) as T;
}

/** An HTTP answer as it came over the wire. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

/** A TCP connection, for requests that no HTTP client would send. */
export class RawConnection implements Disposable {
  #socket: Socket | undefined;
  #received = Buffer.alloc(0);
  #isClosed = false;
  #wake: () => void = () => {};
  #isHead = false;

  static async open(url: string): Promise<RawConnection> {
    const connection = new RawConnection();
    const { hostname, port } = new URL(url);
    connection.#socket = await Bun.connect({
      hostname: hostname.replace(/[[\]]/g, ""),
      port: Number(port),
      socket: {
        data: (_, bytes) => connection.#receive(bytes),
        close: () => connection.#close(),
        error: () => connection.#close(),
      },
    });
    return connection;
  }

  /** Sends text as UTF-8, or bytes as they are; all of it fits into the socket's buffers or the test fails. */
  write(bytes: string | Uint8Array): void {
    this.#isHead = typeof bytes === "string" && bytes.startsWith("HEAD ");
    const length = Buffer.byteLength(bytes);
    if (this.#socket?.write(bytes) !== length && !this.#isClosed) throw new Error("the socket did not take the bytes");
    this.#socket?.flush();
  }

  /** The next answer; undefined when the server closes the connection instead. */
  async answer(): Promise<RawAnswer | undefined> {
    for (;;) {
      const answer = this.#take();
      if (answer !== undefined || this.#isClosed) return answer;
      await this.more();
    }
  }

  /** Resolves when more bytes have come, or the connection is closed. */
  async more(deadlineMs = DEADLINE_MS): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve, reject) => {
      this.#wake = resolve;
      timer = setTimeout(() => reject(new Error(`no answer within ${deadlineMs} ms`)), deadlineMs);
    });
    clearTimeout(timer);
  }

  /** Resolves when the server has closed the connection. */
  async closed(deadlineMs = DEADLINE_MS): Promise<void> {
    while (!this.#isClosed) await this.more(deadlineMs);
  }

  /** Reads nothing more. */
  pause(): void {
    this.#socket?.pause();
  }

  /** Says that nothing more will be sent. */
  end(): void {
    this.#socket?.end();
  }

  /** Resets the connection, as a client does that crashes. */
  terminate(): void {
    this.#socket?.terminate();
  }

  [Symbol.dispose](): void {
    this.#socket?.terminate();
  }

  #take(): RawAnswer | undefined {
    const end = this.#received.indexOf("\r\n\r\n");
    if (end === -1) return undefined;
    const [first = "", ...lines] = this.#received.toString("latin1", 0, end).split("\r\n");
    const headers = new Headers();
    for (const line of lines) headers.append(line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1));
    const length = this.#isHead ? 0 : Number(headers.get("content-length") ?? 0);
    const start = end + 4;
    if (this.#received.length < start + length) return undefined;
    const body = this.#received.toString("utf8", start, start + length);
    this.#received = this.#received.subarray(start + length);
    return { status: Number(first.split(" ")[1]), headers, body };
  }

  #receive(bytes: Uint8Array): void {
    this.#received = Buffer.concat([this.#received, bytes]);
    this.#wake();
  }

  #close(): void {
    this.#isClosed = true;
    this.#wake();
  }
}

/** Sends the bytes on a connection of their own; resolves with the answer, or undefined when there is none. */
export async function exchange(url: string, ...pieces: (string | Uint8Array)[]): Promise<RawAnswer | undefined> {
  using connection = await RawConnection.open(url);
  for (const piece of pieces) connection.write(piece);
  return await connection.answer();
}

/** The text of a request with a `Host`; with a body, its `Content-Length` too, unless the headers say otherwise. */
export function requestText(line: string, headers: readonly string[] = [], body?: string): string {
  const all = [...headers];
  const says = (name: string) => all.some((header) => header.toLowerCase().startsWith(name));
  if (!says("host:")) all.unshift("Host: 127.0.0.1");
  if (body !== undefined && !says("content-length:") && !says("transfer-encoding:")) {
    all.push(`Content-Length: ${Buffer.byteLength(body)}`);
  }
  return `${line} HTTP/1.1\r\n${all.map((header) => `${header}\r\n`).join("")}\r\n${body ?? ""}`;
}
