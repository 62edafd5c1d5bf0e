import type { DeliveredGap } from "../../protocol/consumer.ts";
import { EventBusError } from "../errors.ts";
import { parseEvent, parseJson, type ReceivedEvent } from "../received-event.ts";

/** The tolerance that Standard Webhooks recommends, in seconds. */
const DEFAULT_TOLERANCE_S = 300;
const PREFIX = "whsec_";
const VERSION = "v1,";

/** The headers of a request, in whatever form the receiving server has them. */
export type WebhookHeaders = Headers | Readonly<Record<string, string | readonly string[] | undefined>>;

export interface VerifyWebhookOptions {
  /** By how many seconds a request may be late, or the clocks of the two servers differ; default 300. */
  toleranceSeconds?: number | undefined;
  /** The current time; default: that of this machine. */
  now?: Date | undefined;
}

/** What a consumer has posted: an event, or a gap in its place. */
export interface PushedMessage<T = unknown> {
  /** The same for each attempt: recognise a repeat by it. */
  readonly id: string;
  /** Undefined for a gap. */
  readonly event: ReceivedEvent<T> | undefined;
  /** Events that retention removed before they were delivered. */
  readonly gap: DeliveredGap | undefined;
}

/**
 * Verifies a request that a consumer has posted, by Standard Webhooks, and resolves with what it contains.
 *
 * `secret` is what the consumer was created with, `whsec_…`; after a rotation both secrets verify for 24 hours. `body`
 * MUST be the body as it was received: one that was parsed and written again has another signature. Signatures are
 * compared in constant time. Rejects with an `EventBusError`: `webhook_invalid` if a header is missing, the request is
 * too old or from the future, or no signature matches: respond with 401; `parameter_invalid` if the secret is invalid.
 *
 * @example
 * const { id, event } = await verifyWebhook(process.env.WEBHOOK_SECRET, request.headers, await request.text());
 */
export async function verifyWebhook<T = unknown>(
  secret: string,
  headers: WebhookHeaders,
  body: string | Uint8Array<ArrayBuffer>,
  { toleranceSeconds = DEFAULT_TOLERANCE_S, now = new Date() }: VerifyWebhookOptions = {},
): Promise<PushedMessage<T>> {
  const key = await keyOf(secret);
  const id = headerOf(headers, "webhook-id");
  const timestamp = headerOf(headers, "webhook-timestamp");
  requireInTime(timestamp, now, toleranceSeconds);
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const signed = joined(new TextEncoder().encode(`${id}.${timestamp}.`), bytes);
  if (!(await isSigned(key, headerOf(headers, "webhook-signature"), signed))) {
    throw invalid("no signature matches: the secret is another one, or the body is not as it was received");
  }
  return messageOf(id, new TextDecoder().decode(bytes));
}

async function keyOf(secret: string): Promise<CryptoKey> {
  const bytes = bytesOf(secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : secret);
  if (bytes === undefined || bytes.length === 0) {
    throw new EventBusError("parameter_invalid", `the secret must be ${PREFIX} and base64`);
  }
  return crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
}

function headerOf(headers: WebhookHeaders, name: string): string {
  const value = headers instanceof Headers ? headers.get(name) : plainHeaderOf(headers, name);
  if (value) return value;
  throw invalid(`the header ${name} is missing`);
}

function plainHeaderOf(headers: Exclude<WebhookHeaders, Headers>, name: string): string | undefined {
  const [, value] = Object.entries(headers).find(([key]) => key.toLowerCase() === name) ?? [];
  return typeof value === "string" ? value : value?.[0];
}

function requireInTime(timestamp: string, now: Date, toleranceSeconds: number): void {
  if (!/^\d{1,12}$/.test(timestamp)) throw invalid("the header webhook-timestamp is not a time");
  const ageSeconds = Math.floor(now.getTime() / 1000) - Number(timestamp);
  if (ageSeconds > toleranceSeconds) throw invalid(`the request is ${ageSeconds} seconds old`);
  if (ageSeconds < -toleranceSeconds) throw invalid(`the request is from ${-ageSeconds} seconds in the future`);
}

/** Whether one of the signatures, separated by spaces, is that of the text. `verify` takes constant time. */
async function isSigned(key: CryptoKey, signatures: string, signed: Uint8Array<ArrayBuffer>): Promise<boolean> {
  for (const one of signatures.split(" ")) {
    const bytes = one.startsWith(VERSION) ? bytesOf(one.slice(VERSION.length)) : undefined;
    if (bytes !== undefined && (await crypto.subtle.verify("HMAC", key, bytes, signed))) return true;
  }
  return false;
}

/** A gap has a `type`; an event never has one. */
function messageOf<T>(id: string, body: string): PushedMessage<T> {
  const { type, after, next } = parseJson(body) as Partial<DeliveredGap> & { type?: unknown };
  if (type === "gap" && after !== undefined && next !== undefined) {
    return { id, event: undefined, gap: { after, next } };
  }
  return { id, event: parseEvent<T>(body), gap: undefined };
}

/** Undefined if the text is not base64. */
function bytesOf(base64: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}

function joined(head: Uint8Array, tail: Uint8Array): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(head.length + tail.length);
  all.set(head);
  all.set(tail, head.length);
  return all;
}

function invalid(why: string): EventBusError {
  return new EventBusError("webhook_invalid", `the request is not from the consumer: ${why}`);
}
