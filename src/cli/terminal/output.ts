import { once } from "node:events";
import { constants, fstatSync, openSync } from "node:fs";
import { styleText } from "node:util";
import { BusError } from "../../bus/errors.ts";
import { replaceControls } from "../../text/controls.ts";

/** The reader of standard output is gone, as after `| head`. This ends the command, and is not a failure. */
export class OutputClosedError extends Error {}

let failure: Error | undefined;
process.stdout.on("error", (error) => {
  failure = error;
});

/**
 * Writes to standard output, and waits while its reader is slow. Throws {@link OutputClosedError} when the reader is
 * gone.
 */
export async function print(text: string): Promise<void> {
  throwFailure();
  if (process.stdout.write(text)) return;
  await once(process.stdout, "drain").catch(() => {});
  throwFailure();
}

/**
 * Aborted when standard output is a pipe and its reader is gone, even while there is nothing to print: a write would
 * only reveal it with the next event. Never aborted for other outputs.
 */
export function outputClosing(): AbortSignal {
  const controller = new AbortController();
  if (isPipe()) {
    // Opened again, so that the flags that Bun sets do not affect the other writers of the pipe.
    const fd = openSync("/dev/fd/1", constants.O_WRONLY | constants.O_NONBLOCK);
    // A socket of Bun polls whatever descriptor it is given, and a pipe without a reader counts as closed. The types of
    // `connect` want an address, too.
    const options = { fd, unix: "", socket: { data: () => {}, close: () => controller.abort() } };
    Bun.connect(options).then(
      (socket) => socket.unref(),
      () => {},
    );
  }
  return controller.signal;
}

function isPipe(): boolean {
  return process.platform !== "win32" && fstatSync(1).isFIFO();
}

/** Resolves when everything that was printed has been passed on. */
export function flushed(): Promise<void> {
  return new Promise((resolve) => {
    if (failure) resolve();
    else process.stdout.write("", () => resolve());
  });
}

function throwFailure(): void {
  if (failure === undefined) return;
  const code = "code" in failure ? String(failure.code) : failure.message;
  if (code === "EPIPE") throw new OutputClosedError();
  throw new BusError("unavailable", `standard output cannot be written: ${code}`, { cause: failure });
}

/** Prints a message to standard error. */
export function say(text: string): void {
  process.stderr.write(`eventbus: ${text}\n`);
}

/** Colours a text that goes to standard output, on a terminal only; `NO_COLOR` and `FORCE_COLOR` are respected. */
export function coloured(colour: "cyan" | "gray" | "green" | "yellow", text: string): string {
  return styleText(colour, text, { stream: process.stdout, validateStream: true });
}

/** An untrusted text, without the characters that could control a terminal, or turn the direction of a line. */
export function harmless(text: string): string {
  return replaceControls(text, () => "\u{fffd}");
}
