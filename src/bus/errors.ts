import type { ErrorCode, ProblemMembers } from "../protocol/problem.ts";

/**
 * The only error that the bus, its stores and its edges throw deliberately.
 *
 * `detail` says what is wrong and how to correct it, and is safe to show to a caller: it never contains a stack, a
 * path, a secret or the caller's own input. Internal details go into `cause`.
 */
export class BusError extends Error {
  override readonly name = "BusError";
  readonly code: ErrorCode;
  readonly members: ProblemMembers;

  constructor(code: ErrorCode, detail: string, options: ErrorOptions & { members?: ProblemMembers } = {}) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.members = options.members ?? {};
  }
}
