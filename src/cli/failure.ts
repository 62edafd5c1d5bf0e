import { CommanderError } from "commander";
import { BusError } from "../bus/errors.ts";
import { EventBusError } from "../client/index.ts";
import { adviceOn } from "./connection.ts";
import { startFailure } from "./server/serve.ts";
import { OutputClosedError } from "./terminal/output.ts";

/** Exit codes: 0 ok, 1 failed, 2 wrong usage. */
const FAILED = 1;
const WRONG_USAGE = 2;

/** Errors that the user can correct on the command line. */
const USAGE_CODES: readonly string[] = ["parameter_invalid", "parameter_unknown", "pattern_invalid", "topic_invalid"];

/** Reports an error on standard error, and returns the exit code. Commander has already reported what it throws. */
export function reportFailure(error: unknown): number {
  if (error instanceof OutputClosedError) return 0;
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : WRONG_USAGE;
  const words = error instanceof EventBusError ? adviceOn(error) : startFailure(error);
  process.stderr.write(`eventbus: ${words}\n`);
  const isKnown = error instanceof EventBusError || error instanceof BusError;
  return isKnown && USAGE_CODES.includes(error.code) ? WRONG_USAGE : FAILED;
}
