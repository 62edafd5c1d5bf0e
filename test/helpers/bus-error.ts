import { BusError } from "../../src/bus/errors.ts";

/** The BusError that the call throws; any other outcome fails the test. */
export function busErrorOf(act: () => unknown): BusError {
  try {
    act();
  } catch (error) {
    if (error instanceof BusError) return error;
    throw error;
  }
  throw new Error("Nothing was thrown, a BusError was expected");
}
