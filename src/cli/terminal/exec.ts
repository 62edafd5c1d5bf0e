import type { ReceivedEvent } from "../../client/index.ts";
import { childEnvironment } from "../../config.ts";

/** Runs the command in the shell with the event on its standard input; returns how it failed, or undefined. */
export async function runCommand(command: string, event: ReceivedEvent): Promise<string | undefined> {
  try {
    const child = Bun.spawn(["sh", "-c", command], {
      stdin: Buffer.from(`${event.json}\n`),
      stdout: "inherit",
      stderr: "inherit",
      env: childEnvironment({
        EVENTBUS_ID: String(event.id),
        EVENTBUS_TOPIC: event.topic,
        EVENTBUS_SOURCE: withoutNul(event.source),
      }),
    });
    const exitCode = await child.exited;
    return exitCode === 0 ? undefined : `ended with ${exitCode}`;
  } catch (error) {
    return `could not be started (${error instanceof Error ? error.message : String(error)})`;
  }
}

/** No variable can hold a NUL: each becomes U+FFFD. */
function withoutNul(text: string): string {
  return text.replaceAll("\0", "\u{fffd}");
}
