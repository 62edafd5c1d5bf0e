import { BusError } from "../../src/bus/errors.ts";
import type { ErrorCode } from "../../src/protocol/problem.ts";

/** The code that a promise is rejected with; any other outcome fails the test. */
export async function busErrorCodeOf(promise: Promise<unknown>): Promise<ErrorCode> {
  return (await busRejectionOf(promise)).code;
}

/** The error that a promise is rejected with; any other outcome fails the test. */
export async function busRejectionOf(promise: Promise<unknown>): Promise<BusError> {
  const outcome = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (outcome instanceof BusError) return outcome;
  throw new Error(`a BusError was expected, not ${outcome}`);
}

/** The error that this throws; any other outcome fails the test. */
export function busErrorOf(act: () => unknown): BusError {
  try {
    act();
  } catch (error) {
    if (error instanceof BusError) return error;
    throw error;
  }
  throw new Error("a BusError was expected, and nothing was thrown");
}
