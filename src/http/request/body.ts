import { BusError } from "../../bus/errors.ts";
import { type IncomingBodies, isSmallBody } from "./incoming-bodies.ts";

export type MediaType = "json" | "ndjson" | "text";

/** `application/x-www-form-urlencoded` is what `curl -d` sends by itself; a body without a type is JSON, too. */
const MEDIA_TYPES: Readonly<Record<string, MediaType>> = {
  "": "json",
  "application/json": "json",
  "application/x-www-form-urlencoded": "json",
  "text/json": "json",
  "application/x-ndjson": "ndjson",
  "text/plain": "text",
};

/** A format that is written in JSON (RFC 6839), as senders of webhooks name theirs: `application/cloudevents+json`. */
const JSON_SUFFIX = /^application\/[\w!#$&^.+-]+\+json$/;

const READABLE: Readonly<Record<MediaType, string>> = {
  json: "application/json",
  ndjson: "application/x-ndjson",
  text: "text/plain",
};

/**
 * After a smaller chunk, the next one is asked for in a later turn. A body may come in chunks of a byte each, and to
 * handle a read of them one by one takes seconds.
 */
const SMALL_CHUNK_BYTES = 4096;

/** Twice the largest body that is accepted by default: larger ones are not sent by accident. */
const MAX_DISCARDED_BYTES = 20 * 1024 * 1024;

/**
 * The declared media type of a request body. Throws `media_type_unsupported` if the route does not accept it, or if the
 * body is compressed.
 */
export function mediaTypeOf(request: Request, taken: readonly MediaType[]): MediaType {
  const encoding = request.headers.get("content-encoding");
  if (encoding !== null && encoding !== "" && encoding.toLowerCase() !== "identity") {
    throw new BusError("media_type_unsupported", "the body must not be compressed: send it without Content-Encoding");
  }
  const header = request.headers.get("content-type");
  if (header === null || header === "application/json") return "json";
  const [name = "", ...parameters] = header.toLowerCase().split(";");
  const charset = parameters.map((parameter) => parameter.trim()).find((parameter) => parameter.startsWith("charset="));
  const mediaType = mediaTypeNamed(name.trim());
  const isUtf8 = charset === undefined || /^charset="?(utf-8|utf8|us-ascii)"?$/.test(charset);
  if (mediaType !== undefined && taken.includes(mediaType) && isUtf8) return mediaType;
  const right = taken.map((type) => READABLE[type]).join(" or ");
  throw new BusError("media_type_unsupported", `the Content-Type must be ${right}, in UTF-8`);
}

function mediaTypeNamed(name: string): MediaType | undefined {
  return JSON_SUFFIX.test(name) ? "json" : MEDIA_TYPES[name];
}

/**
 * The bytes of a request's body. When there are more than `limit`, throws, or rejects with, `payload_too_large`,
 * without reading on; with `unavailable` when all that is arriving leaves no room for it. Default: there is room.
 */
export function readBody(request: Request, limit: number, incoming?: IncomingBodies): Promise<Uint8Array> | Uint8Array {
  const announced = request.headers.get("content-length");
  if (announced !== null) {
    const bytes = Number(announced);
    if (bytes > limit) throw tooLarge(limit);
    if (incoming === undefined || isSmallBody(bytes)) return request.bytes();
    const room = incoming.reserve(bytes);
    if (room !== undefined) return readWithin(room, request);
  }
  return request.body === null ? new Uint8Array() : readStream(request.body, limit, incoming);
}

async function readWithin(room: Disposable, request: Request): Promise<Uint8Array> {
  using _ = room;
  return await request.bytes();
}

/**
 * Reads and discards the body of a request that is rejected without reading it, if its connection is to be closed: a
 * client that is still sending would otherwise see a broken pipe instead of the response. Does nothing if the rest is
 * too large.
 */
export async function discardBody({ headers, body, bodyUsed }: Request): Promise<void> {
  const isLast = headers.get("connection")?.toLowerCase() === "close";
  if (!isLast || bodyUsed || body === null) return;
  if (Number(headers.get("content-length") ?? Number.POSITIVE_INFINITY) > MAX_DISCARDED_BYTES) return;
  for await (const _ of body);
}

/** Chunks that arrive while none is asked for are united. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

async function readStream(
  body: ReadableStream<Uint8Array>,
  limit: number,
  incoming: IncomingBodies | undefined,
): Promise<Uint8Array> {
  using arriving = incoming?.count();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > limit) throw tooLarge(limit);
    arriving?.grow(length);
    chunks.push(chunk);
    if (chunk.length < SMALL_CHUNK_BYTES) await nextTurn();
  }
  return Buffer.concat(chunks, length);
}

function tooLarge(limit: number): BusError {
  return new BusError("payload_too_large", `the body is larger than ${limit} bytes`, { members: { limit } });
}
