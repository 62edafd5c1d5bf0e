import { type ErrorCode, type Problem, problems } from "../protocol/problem.ts";

/**
 * The kind of error, for programs to branch on: a code of the server, or one of the client's own.
 *
 * - `network`: no response, or a broken connection. It is unknown whether the server carried out the request.
 * - `protocol`: a response that does not come from an eventbus, such as a proxy's error page or another service.
 * - `aborted`: the `signal` of the call was aborted; its reason is the `cause`.
 * - `closed`: the client was closed.
 * - `webhook_invalid`: a request that was not signed with the secret, or not in time.
 */
export type EventBusErrorCode = ErrorCode | "network" | "protocol" | "aborted" | "closed" | "webhook_invalid";

/** What an {@link EventBusError} has besides its code and message. */
export interface EventBusErrorDetails {
  status?: number | undefined;
  problem?: Problem | undefined;
  retryAfterMs?: number | undefined;
  cause?: unknown | undefined;
}

/**
 * The only kind of error that the client throws deliberately. `message` is for people.
 *
 * @example
 * try {
 *   await bus.publish("orders.created", order);
 * } catch (error) {
 *   if (error instanceof EventBusError && error.code === "storage_full") alertOperators(error.message);
 *   else throw error;
 * }
 */
export class EventBusError extends Error {
  override readonly name = "EventBusError";
  readonly code: EventBusErrorCode;
  /** HTTP status of the response; undefined if there was none. */
  readonly status: number | undefined;
  /**
   * The complete `application/problem+json` body, with helpful members such as `position`, `line`, `limit`, `oldest`.
   */
  readonly problem: Problem | undefined;
  /** How long the server asked to wait before the next attempt, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(code: EventBusErrorCode, message: string, details: EventBusErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.status = details.status;
    this.problem = details.problem;
    this.retryAfterMs = details.retryAfterMs;
  }
}

/** 4xx that mean "not now" rather than "never": timeout, too early, too many requests. */
const PASSING_STATUSES: readonly number[] = [408, 425, 429];

/** Whether the same request may succeed later, unchanged. A full disk may, but not within seconds. */
export function isTemporary(error: EventBusError): boolean {
  if (error.code === "network") return true;
  if (error.code === "storage_full" || error.status === undefined) return false;
  return error.status >= 500 || PASSING_STATUSES.includes(error.status);
}

/** Whether another server of the same bus may succeed at once. A rate limit is meant for the client. */
export function isOfServer(error: EventBusError): boolean {
  return isTemporary(error) && !PASSING_STATUSES.includes(error.status ?? 0);
}

/** The longest wait that a server can ask for, in milliseconds; far below what a timer can take. */
const MAX_RETRY_AFTER_MS = 60 * 60 * 1000;

/** The error for a response outside 2xx. Reads its body. */
export async function errorOf(response: Response): Promise<EventBusError> {
  const { status } = response;
  const retryAfterMs = retryAfterOf(response.headers.get("retry-after"));
  const details = { status, retryAfterMs };
  const problem = problemOf(await response.text());
  if (problem === undefined) {
    return new EventBusError(
      "protocol",
      `${response.url} returned ${status}, and not in the format of eventbus`,
      details,
    );
  }
  return new EventBusError(problem.code, problem.detail, { ...details, problem });
}

function problemOf(text: string): Problem | undefined {
  try {
    const body: Partial<Problem> | null = JSON.parse(text);
    const isProblem = typeof body?.detail === "string" && Object.hasOwn(problems, body.code ?? "");
    return isProblem ? (body as Problem) : undefined;
  } catch {
    return undefined;
  }
}

/** Seconds or a date (RFC 9110, section 10.2.3) as milliseconds from now. */
function retryAfterOf(header: string | null): number | undefined {
  if (header === null) return undefined;
  const waitMs = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isNaN(waitMs) ? undefined : Math.min(Math.max(waitMs, 0), MAX_RETRY_AFTER_MS);
}
