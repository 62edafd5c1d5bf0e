import { Command, Option } from "commander";
import type { ConnectionState, Gap, ReceivedEvent, Subscription } from "../client/index.ts";
import {
  adviceOn,
  type ConnectionOptions,
  connectTo,
  interruption,
  warnOfPatterns,
  wholeNumber,
  withConnection,
} from "./connection.ts";
import { runCommand } from "./terminal/exec.ts";
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
Events are printed to standard output, one per line; the state of the connection
is reported on standard error. The command reconnects by itself and resumes after
the last event it received: each event is printed once. When it ends, by Ctrl-C
or otherwise, it reports the id to continue from.

--exec runs the command in the shell for each event, one at a time, with the
event on its standard input, and EVENTBUS_ID, EVENTBUS_TOPIC and EVENTBUS_SOURCE
in its environment, where U+FFFD replaces a NUL. When the command fails or
cannot be started, this exits with 1, and reports the id of the last event that
succeeded; with --on-error continue, it reports the failure and continues.

Examples:
  $ eventbus subscribe
  $ eventbus subscribe 'orders.*' 'users.*' --last 10
  $ eventbus subscribe 'orders.*' --since 24h --output data | jq .total
  $ eventbus subscribe 'deploy.*' --exec './deploy.sh "$EVENTBUS_TOPIC"'`;

/** The command that prints events as they come, or runs something for each. */
export function subscribeCommand(): Command {
  const command = new Command("subscribe")
    .description("print events as they are published, or run a command for each")
    .argument("[patterns...]", "topic patterns, such as 'orders.*'; default: all")
    .addOption(
      new Option(
        "--since <since>",
        "start after an id, at an RFC 3339 time, 30s, 10m, 24h or 7d ago; all, now",
      ).conflicts("last"),
    )
    .option("--last <n>", "start with the newest n matching events", wholeNumber(1, 10_000))
    .option("--count <n>", "exit after n events", wholeNumber(1))
    .addOption(
      new Option("--output <form>", "output format (default: pretty on a terminal, json elsewhere)")
        .choices(["json", "pretty", "data"])
        .conflicts("exec"),
    )
    .option("--exec <command>", "run a command for each event, instead of printing it")
    .addOption(
      new Option("--on-error <what>", "what to do when the --exec command fails")
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
  warnOfPatterns(patterns);
  const subscription = bus.subscribe(patterns.length === 0 ? "*" : patterns, {
    since: flags.since,
    last: flags.last,
    signal: stop,
    onGap: (gap) => say(gapWords(gap)),
    onCaughtUp: (id) => say(`caught up at ${id}`),
    onState: announcer(() => bus.url),
  });
  const handled: Handled = { lastId: undefined };
  try {
    return await handleAll(subscription, flags, handled, stop);
  } finally {
    if (handled.lastId !== undefined) say(`continue with --since ${handled.lastId}`);
  }
}

function announcer(url: () => string): (state: ConnectionState) => void {
  let wasOpen = false;
  let last = "";
  return (state) => {
    if (state.kind === "open") {
      say(wasOpen ? `resumed${url() === last ? "" : ` at ${url()}`}` : `connected to ${url()}`);
      last = url();
    }
    if (state.kind === "waiting") {
      const why = state.error ? adviceOn(state.error) : "the server stopped";
      say(`${why}; retrying in ${(state.delayMs / 1000).toFixed(1)} s`);
    }
    wasOpen ||= state.kind === "open";
  };
}

function gapWords({ after, next }: Gap): string {
  return next > after
    ? `gap: the events between ${after} and ${next} are no longer kept`
    : `gap: the server has a different history, in which event ${after} never existed; continuing at ${next}`;
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
      const failure = await runCommand(exec, event);
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

function shown(event: ReceivedEvent, output: "json" | "pretty" | "data"): string {
  if (output === "json") return event.json;
  if (output === "data") return event.rawData;
  const { id, created_at, topic, source, rawData } = event;
  const parts = [coloured("gray", `${id}  ${created_at}`), coloured("cyan", topic)];
  if (source !== "") parts.push(coloured("green", harmless(source)));
  return [...parts, harmless(rawData)].join("  ");
}
