import type { ErrorCode, ProblemMembers } from "../protocol/problem.ts";

/**
 * The one error the bus, its stores and its edges throw on purpose.
 *
 * `detail` names what is wrong and what would be right, and is safe to show to a caller: it never holds
 * a stack, a path, a secret or the caller's own input. What must stay inside goes into `cause`.
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
