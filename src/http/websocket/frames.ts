import { requirePublish } from "../../bus/access/principal.ts";
import type { Bus } from "../../bus/bus.ts";
import { BusError } from "../../bus/errors.ts";
import { parsePattern } from "../../bus/patterns/pattern.ts";
import type { Appended } from "../../bus/ports.ts";
import { type OnLimit, tellLimit } from "../limits/limits.ts";
import { tooManyPatterns } from "../limits/subscriber-limits.ts";
import { readDraft } from "../request/envelope.ts";
import { type Members, sliceMembers } from "../request/members.ts";
import { asBusError } from "../response/problem.ts";
import type { Connection } from "./connection.ts";
import { ack, consume, extend, nack } from "./consumer-frames.ts";
import type { Workplaces } from "./consuming.ts";

export interface FrameContext {
  readonly bus: Bus;
  readonly connection: Connection;
  /** Undefined: there are none. */
  readonly consumers: Workplaces | undefined;
  readonly maxPatterns: number;
  readonly onLimit?: OnLimit | undefined;
  /** Called with each pattern that is subscribed to. */
  readonly onPattern?: ((pattern: string) => void) | undefined;
}

/**
 * Handles one kind of frame; `ref` is the member as JSON text with its comma, or nothing. An empty text is not sent.
 */
type FrameHandler = (members: Members, ref: string, context: FrameContext) => string | Promise<string>;

const frames: Readonly<Record<string, { readonly members: readonly string[]; readonly handle: FrameHandler }>> = {
  publish: { members: ["type", "ref", "topic", "data", "source"], handle: publish },
  subscribe: { members: ["type", "ref", "pattern"], handle: subscribe },
  unsubscribe: { members: ["type", "ref", "pattern"], handle: unsubscribe },
  consume: {
    members: ["type", "ref", "consumer", "credit"],
    handle: (members, ref, { connection, consumers }) => consume(members, ref, connection, consumers),
  },
  ack: {
    members: ["type", "ref", "deliveries"],
    handle: (members, ref, { connection }) => ack(members, ref, connection),
  },
  nack: {
    members: ["type", "ref", "deliveries", "delay", "reason"],
    handle: (members, ref, { connection }) => nack(members, ref, connection),
  },
  extend: {
    members: ["type", "ref", "deliveries"],
    handle: (members, ref, { connection }) => extend(members, ref, connection),
  },
  ping: { members: ["type", "ref"], handle: (_, ref) => `{"type":"pong"${ref}}` },
};

/** Longest `ref` that is echoed, as JSON text, so that a response is never much larger than its request. */
const MAX_REF_CHARACTERS = 256;

/**
 * Handles a client's frame; the text is undefined for a binary frame. Never throws or rejects: an error is a response,
 * too.
 */
export function answerFrame(text: string | undefined, context: FrameContext): string | Promise<string> {
  let ref = "";
  try {
    if (text === undefined) throw new BusError("json_invalid", "frames must be text, not binary: send JSON");
    const members = sliceMembers(text);
    ref = refOf(members);
    const type = members.sharedValue("type");
    const frame = typeof type === "string" ? frames[type] : undefined;
    if (frame === undefined || !Object.hasOwn(frames, String(type))) throw unknownType();
    members.requireOnly(frame.members);
    return frame.handle(members, ref, context);
  } catch (error) {
    return refusal(error, ref, context);
  }
}

function refusal(error: unknown, ref: string, { onLimit }: FrameContext): string {
  const busError = asBusError(error);
  tellLimit(busError, onLimit);
  const { code, message, members } = busError;
  return `{"type":"error"${ref},${JSON.stringify({ code, detail: message, ...members }).slice(1)}`;
}

function publish(members: Members, ref: string, context: FrameContext): Promise<string> {
  const { bus, connection } = context;
  connection.countPublish?.();
  const drafts = [readDraft(members)];
  requirePublish(connection.principal, drafts);
  return acknowledge(bus.append(drafts), ref, context);
}

async function acknowledge(appending: Promise<Appended>, ref: string, context: FrameContext): Promise<string> {
  try {
    const { events } = await appending;
    return `{"type":"ack"${ref},"event":${events[0]?.json ?? "null"}}`;
  } catch (error) {
    return refusal(error, ref, context);
  }
}

function subscribe(members: Members, ref: string, { bus, connection, maxPatterns, onPattern }: FrameContext): string {
  const pattern = parsePattern(members.value("pattern"));
  if (connection.patternCount >= maxPatterns && !connection.hasPattern(pattern)) {
    throw tooManyPatterns(maxPatterns);
  }
  onPattern?.(pattern.text);
  connection.addPattern(pattern, bus.head);
  return `{"type":"ack"${ref}}`;
}

function unsubscribe(members: Members, ref: string, { connection }: FrameContext): string {
  connection.removePattern(parsePattern(members.value("pattern")));
  return `{"type":"ack"${ref}}`;
}

function refOf(members: Members): string {
  const raw = members.raw("ref");
  if (raw === undefined) return "";
  if (/^["\d-]/.test(raw) && raw.length <= MAX_REF_CHARACTERS) return `,"ref":${raw}`;
  throw new BusError(
    "parameter_invalid",
    `ref must be a string or a number, at most ${MAX_REF_CHARACTERS} characters`,
    {
      members: { parameter: "ref", limit: MAX_REF_CHARACTERS },
    },
  );
}

function unknownType(): BusError {
  return new BusError("parameter_invalid", `type must be one of ${Object.keys(frames).join(", ")}`, {
    members: { parameter: "type" },
  });
}
