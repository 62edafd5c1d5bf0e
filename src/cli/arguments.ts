import { readFileSync } from "node:fs";

/** The replacement for bytes that are not UTF-8. */
const REPLACEMENT = "\u{fffd}";

/**
 * Whether the arguments arrived unchanged: the runtime silently replaces bytes that are not UTF-8. If the system does
 * not show the bytes, they count as valid.
 */
export function areArgumentsValid(argv: readonly string[]): boolean {
  if (!argv.some((argument) => argument.includes(REPLACEMENT))) return true;
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(readFileSync("/proc/self/cmdline"));
    return true;
  } catch (error) {
    return !(error instanceof TypeError);
  }
}
