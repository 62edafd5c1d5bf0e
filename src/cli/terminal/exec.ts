import type { ReceivedEvent } from "../../client/index.ts";
import { childEnvironment } from "../../config.ts";

/** Runs the command in the shell with the event on its standard input; returns how it failed, or undefined. */
export function runCommand(command: string, event: ReceivedEvent): Promise<string | undefined> {
  return failureOf(() => start(command, event, false).exited);
}

/** Commands that Ctrl-C does not interrupt. Those that still run when this program exits are terminated. */
export class ShieldedCommands {
  /** The process group of each command that runs: a terminal interrupts only its own group. */
  readonly #groups = new Set<number>();

  constructor() {
    process.on("exit", () => {
      for (const group of this.#groups) process.kill(-group, "SIGTERM");
    });
  }

  /** As `runCommand`. */
  run(command: string, event: ReceivedEvent): Promise<string | undefined> {
    return failureOf(async () => {
      const { pid, exited } = start(command, event, true);
      this.#groups.add(pid);
      return exited.finally(() => this.#groups.delete(pid));
    });
  }
}

function start(command: string, event: ReceivedEvent, detached: boolean) {
  return Bun.spawn(["sh", "-c", command], {
    stdin: Buffer.from(`${event.json}\n`),
    stdout: "inherit",
    stderr: "inherit",
    detached,
    env: childEnvironment({
      EVENTBUS_ID: String(event.id),
      EVENTBUS_TOPIC: event.topic,
      EVENTBUS_SOURCE: withoutNul(event.source),
    }),
  });
}

async function failureOf(run: () => Promise<number>): Promise<string | undefined> {
  try {
    const exitCode = await run();
    return exitCode === 0 ? undefined : `ended with ${exitCode}`;
  } catch (error) {
    return `could not be started (${error instanceof Error ? error.message : String(error)})`;
  }
}

/** No variable can hold a NUL: each becomes U+FFFD. */
function withoutNul(text: string): string {
  return text.replaceAll("\0", "\u{fffd}");
}
