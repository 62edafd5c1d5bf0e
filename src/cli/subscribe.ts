import { Command, Option } from "commander";
import type { ConnectionState, Gap, ReceivedEvent, Subscription } from "../client/index.ts";
import { childEnvironment } from "../config.ts";
import {
  adviceOn,
  type ConnectionOptions,
  connectTo,
  interruption,
  wholeNumber,
  withConnection,
} from "./connection.ts";
import { coloured, harmless, outputClosing, print, say } from "./terminal/output.ts";

interface SubscribeFlags extends ConnectionOptions {
  readonly since?: string;
  readonly last?: number;
  readonly count?: number;
  readonly output?: "json" | "pretty" | "data";
  readonly exec?: string;
  readonly onError: "stop" | "continue";
}

const EXAMPLES = `
Events go to standard output, a line each; what happens to the connection is
said on standard error. It connects again by itself, and goes on after the last
event it had: each comes once. Ctrl-C, and every other end, says the id to go on
from.

--exec runs the command by the shell for each event, one after the other, with
the event on its standard input, and EVENTBUS_ID, EVENTBUS_TOPIC and
EVENTBUS_SOURCE in its environment, where U+FFFD stands for a NUL. When the
command fails, or cannot be started, this ends with 1, and the id it names is
that of the last event that went well; with --on-error continue, it says so and
goes on.

Examples:
  $ eventbus subscribe
  $ eventbus subscribe 'orders.*' 'users.*' --last 10
  $ eventbus subscribe 'orders.*' --since 24h --output data | jq .total
  $ eventbus subscribe 'deploy.*' --exec './deploy.sh "$EVENTBUS_TOPIC"'`;

/** The command that prints events as they come, or runs something for each. */
export function subscribeCommand(): Command {
  const command = new Command("subscribe")
    .description("print events as they come, or run a command for each")
    .argument("[patterns...]", "topics, as in 'orders.*'; all when left out")
    .addOption(
      new Option(
        "--since <since>",
        "start after an id, at an RFC 3339 time, 30s, 10m, 24h or 7d ago; all, now",
      ).conflicts("last"),
    )
    .option("--last <n>", "start with the newest n events that match", wholeNumber(1, 10_000))
    .option("--count <n>", "end after n events", wholeNumber(1))
    .addOption(
      new Option("--output <form>", "how events are printed (default: pretty on a terminal, json elsewhere)")
        .choices(["json", "pretty", "data"])
        .conflicts("exec"),
    )
    .option("--exec <command>", "run a command for each event, rather than print it")
    .addOption(
      new Option("--on-error <what>", "what to do when the command of --exec fails")
        .choices(["stop", "continue"])
        .default("stop"),
    )
    .addHelpText("after", EXAMPLES);
  return withConnection(command).action(async (patterns: string[], flags: SubscribeFlags) => {
    process.exitCode = await subscribe(patterns, flags);
  });
}

async function subscribe(patterns: readonly string[], flags: SubscribeFlags): Promise<number> {
  const interrupted = interruption();
  const stop = flags.exec === undefined ? AbortSignal.any([interrupted, outputClosing()]) : interrupted;
  const bus = connectTo(flags);
  const subscription = bus.subscribe(patterns.length === 0 ? "*" : patterns, {
    since: flags.since,
    last: flags.last,
    signal: stop,
    onGap: (gap) => say(gapWords(gap)),
    onCaughtUp: (id) => say(`caught up at ${id}`),
    onState: announcer(bus.url),
  });
  const handled: Handled = { lastId: undefined };
  try {
    return await handleAll(subscription, flags, handled, stop);
  } finally {
    if (handled.lastId !== undefined) say(`go on with --since ${handled.lastId}`);
  }
}

function announcer(url: string): (state: ConnectionState) => void {
  let wasOpen = false;
  return (state) => {
    if (state.kind === "open") say(wasOpen ? "resumed" : `connected to ${url}`);
    if (state.kind === "waiting") {
      const why = state.error ? adviceOn(state.error) : "the server stopped";
      say(`${why}; trying again in ${(state.delayMs / 1000).toFixed(1)} s`);
    }
    wasOpen ||= state.kind === "open";
  };
}

function gapWords({ after, next }: Gap): string {
  return next > after
    ? `gap: the events between ${after} and ${next} are no longer kept`
    : `gap: the server has another history, in which event ${after} was never given; it goes on at ${next}`;
}

interface Handled {
  lastId: number | undefined;
}

async function handleAll(
  subscription: Subscription,
  flags: SubscribeFlags,
  handled: Handled,
  stop: AbortSignal,
): Promise<number> {
  const { count = Number.POSITIVE_INFINITY, exec } = flags;
  const output = flags.output ?? (process.stdout.isTTY ? "pretty" : "json");
  let seen = 0;
  for await (const event of subscription) {
    if (exec === undefined) await print(`${shown(event, output)}\n`);
    else {
      const failure = await run(exec, event);
      if (failure !== undefined && stop.aborted) return 0;
      if (failure !== undefined) say(`the command ${failure} for event ${event.id}`);
      if (failure !== undefined && flags.onError === "stop") {
        handled.lastId ??= event.id - 1;
        return 1;
      }
    }
    handled.lastId = event.id;
    if (++seen >= count) return 0;
  }
  handled.lastId ??= subscription.lastId;
  return 0;
}

/** Runs the command with the event; returns how it failed, or undefined. */
async function run(command: string, event: ReceivedEvent): Promise<string | undefined> {
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

function shown(event: ReceivedEvent, output: "json" | "pretty" | "data"): string {
  if (output === "json") return event.json;
  if (output === "data") return event.rawData;
  const { id, created_at, topic, source, rawData } = event;
  const parts = [coloured("gray", `${id}  ${created_at}`), coloured("cyan", topic)];
  if (source !== "") parts.push(coloured("green", harmless(source)));
  return [...parts, harmless(rawData)].join("  ");
}
