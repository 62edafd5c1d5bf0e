import type { DeliveryMessage, Settled } from "./consumer.ts";
import type { EventMessage } from "./event.ts";
import type { ErrorCode, ProblemMembers } from "./problem.ts";

/**
 * Reports, at its place in the stream, that retention removed the events between `after` and `next`, both exclusive. If
 * `next` is not above `after`, the id to resume from was never assigned here: this is another history, and the stream
 * continues.
 */
export interface GapMessage {
  type: "gap";
  after: number;
  next: number;
}

/** Reports that the replay requested by `since` or `last` has reached the live events; `id` is the newest id then. */
export interface CaughtUpMessage {
  type: "caught_up";
  id: number;
}

/** Control messages have a `type`; events never do. */
export type ControlMessage = GapMessage | CaughtUpMessage;

/** The client's reference for a response: any JSON string or number, echoed unchanged. */
export type Ref = string | number;

/** WebSocket frames from the client. */
export type ClientFrame =
  | { type: "publish"; ref?: Ref; topic: string; data?: unknown; source?: string }
  | { type: "subscribe"; ref?: Ref; pattern: string }
  | { type: "unsubscribe"; ref?: Ref; pattern: string }
  | { type: "consume"; ref?: Ref; consumer: string; credit: number }
  | { type: "ack"; ref?: Ref; deliveries: readonly string[] }
  | { type: "nack"; ref?: Ref; deliveries: readonly string[]; delay?: string; reason?: string }
  | { type: "extend"; ref?: Ref; deliveries: readonly string[] }
  | { type: "ping"; ref?: Ref };

/** A delivery of a consumer that the client takes from. */
export type DeliveryFrame = { type: "delivery"; consumer: string } & DeliveryMessage;

/** WebSocket frames that respond to a client's frame, in the order of the frames. */
export type AnswerFrame =
  | { type: "ack"; ref?: Ref; event?: EventMessage }
  | ({ type: "settled"; ref?: Ref } & Settled)
  | { type: "pong"; ref?: Ref }
  | ({ type: "error"; ref?: Ref; code: ErrorCode; detail: string } & ProblemMembers);

/** WebSocket close codes the server uses (RFC 6455 and its IANA registry). */
export const closeCode = {
  /** The token expired or was revoked. */
  policy: 1008,
  /** A frame was larger than the limit. */
  tooBig: 1009,
  /** The server stops; reconnect and resume. */
  restart: 1012,
  /** A limit was exceeded; try again later. */
  tryAgainLater: 1013,
} as const;
