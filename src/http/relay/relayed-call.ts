import { BusError } from "../../bus/errors.ts";
import { ACCESS_TOKEN } from "../request/query.ts";
import { pathOf } from "../response/answer.ts";

/** A request as one node passes it on to another. */
export interface RelayedCall {
  readonly method: string;
  /** The path as it was sent, and the query without a token. */
  readonly path: string;
  readonly search: string;
  readonly accept: string;
  readonly contentType: string;
  /** Who sent it, for the log of the other node. It was admitted here. */
  readonly caller: string;
  readonly body: Uint8Array;
}

/** The headers of the response that are passed on. */
const HEADERS = ["content-type", "cache-control", "x-content-type-options", "link", "retry-after", "allow"];
const NEWLINE = 10;

export function callOf(request: Request, caller: string, body: Uint8Array): RelayedCall {
  const { method, url, headers } = request;
  const start = url.indexOf("?");
  const search = new URLSearchParams(start === -1 ? "" : url.slice(start + 1));
  search.delete(ACCESS_TOKEN);
  return {
    method,
    path: pathOf(url),
    search: String(search),
    accept: headers.get("accept") ?? "*/*",
    contentType: headers.get("content-type") ?? "application/json",
    caller,
    body,
  };
}

/** The request that the other node handles. */
export function requestOf(call: RelayedCall, signal: AbortSignal): Request {
  const { method, path, search, accept, contentType, body } = call;
  const headers = { Accept: accept, "Content-Type": contentType, "Content-Length": String(body.length) };
  const content = method === "GET" ? {} : { body: new Uint8Array(body) };
  return new Request(`http://node${path}${search === "" ? "" : `?${search}`}`, { method, headers, signal, ...content });
}

export function encodeCall({ body, ...head }: RelayedCall): Uint8Array {
  return Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), body]);
}

/** Throws if the bytes are not a call. */
export function decodeCall(bytes: Uint8Array): RelayedCall {
  const [head, body] = cut(bytes);
  const { method, path, search, accept, contentType, caller } = head;
  const texts = { method, path, search, accept, contentType, caller };
  if (!areTexts(texts)) throw unreadable();
  return { ...texts, body };
}

export async function encodeResponse(response: Response): Promise<Uint8Array> {
  const headers = HEADERS.flatMap((name) => {
    const value = response.headers.get(name);
    return value === null ? [] : [[name, value]];
  });
  const head = JSON.stringify({ status: response.status, headers });
  return Buffer.concat([Buffer.from(`${head}\n`), await response.bytes()]);
}

/** Throws if the bytes are not a response. */
export function decodeResponse(bytes: Uint8Array): Response {
  const [{ status, headers }, body] = cut(bytes);
  if (typeof status !== "number" || !Array.isArray(headers)) throw unreadable();
  const pairs = headers.filter((one): one is [string, string] => Array.isArray(one) && one.length === 2);
  return new Response(body.length === 0 ? null : body, { status, headers: pairs });
}

function cut(bytes: Uint8Array): [head: Readonly<Record<string, unknown>>, body: Uint8Array<ArrayBuffer>] {
  const end = bytes.indexOf(NEWLINE);
  const head: unknown = JSON.parse(Buffer.from(bytes.subarray(0, end)).toString());
  if (end < 0 || typeof head !== "object" || head === null) throw unreadable();
  return [{ ...head }, new Uint8Array(bytes.subarray(end + 1))];
}

function areTexts<K extends string>(values: Readonly<Record<K, unknown>>): values is Readonly<Record<K, string>> {
  return Object.values(values).every((value) => typeof value === "string");
}

function unreadable(): BusError {
  return new BusError("unavailable", "the nodes of the cluster do not understand each other: update all of them");
}
