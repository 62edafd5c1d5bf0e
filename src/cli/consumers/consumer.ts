import { Command, InvalidArgumentError, Option } from "commander";
import { BusError } from "../../bus/errors.ts";
import type { ConsumerInfo, ConsumerOptions, EventBusClient } from "../../client/index.ts";
import { ORDERS, type Order } from "../../protocol/consumer.ts";
import { type ConnectionOptions, connectTo, wholeNumber, withConnection } from "../connection.ts";
import { outputOption } from "../history.ts";
import { print, say } from "../terminal/output.ts";
import { Table } from "../terminal/table.ts";

interface SetFlags extends ConnectionOptions {
  readonly since?: string;
  readonly order?: Order;
  readonly ackTimeout?: string;
  readonly maxAttempts?: number;
  readonly retry?: readonly string[];
  readonly maxInFlight?: number;
  readonly pushUrl?: string;
  readonly pushHeader?: Readonly<Record<string, string>>;
  readonly pushTimeout?: string;
  readonly pushConcurrency?: number;
}

interface ListFlags extends ConnectionOptions {
  readonly output?: "json" | "table";
}

/** The commands for consumers. */
export function consumerCommand(): Command {
  const command = new Command("consumer").description(
    "set up and inspect consumers, for which the server keeps the place",
  );
  for (const below of [listCommand(), showCommand(), setCommand(), ...changeCommands(), ...deadCommands()]) {
    command.addCommand(below);
  }
  return command;
}

function listCommand(): Command {
  const command = new Command("list").description("list the consumers").addOption(outputOption());
  return withConnection(command).action(async (flags: ListFlags) => {
    const consumers = await connectTo(flags).consumers.list();
    const isTable = (flags.output ?? (process.stdout.isTTY ? "table" : "json")) === "table";
    await print(isTable ? tableOf(consumers) : consumers.map((one) => `${JSON.stringify(one)}\n`).join(""));
  });
}

function showCommand(): Command {
  const command = new Command("show").description("show the settings and the state of a consumer");
  return named(command, async (bus, name) => show(await bus.consumers.get(name)));
}

function setCommand(): Command {
  const command = new Command("set")
    .description("create a consumer, or change its settings; an omitted setting takes its default")
    .argument("<name>", "its name: letters, digits, dots, - and _")
    .argument("<patterns...>", "topic patterns, such as 'orders.*'")
    .option(
      "--since <since>",
      "where a new consumer begins: an id, a time, 10m, 24h or 7d ago, all, now (default: now)",
    )
    .addOption(new Option("--order <order>", "what is delivered one after another (default: topic)").choices(ORDERS))
    .option("--ack-timeout <duration>", "how long a delivery may be out, such as 30s (default: 30s)")
    .option("--max-attempts <n>", "attempts after which an event is given up (default: 10)", wholeNumber(1))
    .addOption(
      new Option(
        "--retry <duration>",
        "delay before the next attempt; repeatable (default: 1s, 10s, 1m, 10m)",
      ).argParser((text: string, earlier: readonly string[] = []) => [...earlier, text]),
    )
    .option("--max-in-flight <n>", "deliveries that are out at a time (default: 1000)", wholeNumber(1))
    .option("--push-url <url>", "address to which the server posts the events; the secret is printed only once")
    .addOption(
      new Option(
        "--push-header <header>",
        "sent with every request, such as 'Authorization: Bearer x'; repeatable",
      ).argParser(withHeader),
    )
    .option("--push-timeout <duration>", "how long the endpoint may take to answer (default: 15s)")
    .option("--push-concurrency <n>", "requests that may be under way at a time (default: 8)", wholeNumber(1));
  return withConnection(command).action(async (name: string, pattern: string[], flags: SetFlags) => {
    await show(await connectTo(flags).consumers.set(name, optionsOf(pattern, flags)));
  });
}

function optionsOf(pattern: readonly string[], flags: SetFlags): ConsumerOptions {
  const { since, order, ackTimeout, maxAttempts, retry, maxInFlight } = flags;
  const { pushUrl, pushHeader, pushTimeout, pushConcurrency } = flags;
  if (pushUrl === undefined && (pushHeader ?? pushTimeout ?? pushConcurrency) !== undefined) {
    throw new BusError("parameter_invalid", "--push-header, --push-timeout and --push-concurrency need --push-url");
  }
  return {
    pattern,
    ...(since !== undefined && { since }),
    ...(order !== undefined && { order }),
    ...(ackTimeout !== undefined && { ack_timeout: ackTimeout }),
    ...(maxAttempts !== undefined && { max_attempts: maxAttempts }),
    ...(retry !== undefined && { retry }),
    ...(maxInFlight !== undefined && { max_in_flight: maxInFlight }),
    ...(pushUrl !== undefined && {
      push: {
        url: pushUrl,
        ...(pushHeader !== undefined && { headers: pushHeader }),
        ...(pushTimeout !== undefined && { timeout: pushTimeout }),
        ...(pushConcurrency !== undefined && { concurrency: pushConcurrency }),
      },
    }),
  };
}

/** The headers with one more, of the form `Name: value`. The server checks names and values. */
function withHeader(text: string, earlier: Readonly<Record<string, string>> = {}): Record<string, string> {
  const colon = text.indexOf(":");
  if (colon < 1) throw new InvalidArgumentError("It must be a name, a colon and a value.");
  return { ...earlier, [text.slice(0, colon).trim()]: text.slice(colon + 1).trim() };
}

function changeCommands(): Command[] {
  const seek = new Command("seek").description(
    "move a consumer to another place; deliveries that are out are taken back",
  );
  seek.argument("<name>", "its name").argument("<since>", "an id, an RFC 3339 time, 10m, 24h or 7d ago, all, now");
  return [
    named(new Command("pause").description("hand out nothing until it is resumed"), async (bus, name) =>
      show(await bus.consumers.pause(name)),
    ),
    named(new Command("resume").description("continue at its place"), async (bus, name) =>
      show(await bus.consumers.resume(name)),
    ),
    withConnection(seek).action(async (name: string, since: string, flags: ConnectionOptions) => {
      await show(await connectTo(flags).consumers.seek(name, since));
    }),
    named(
      new Command("rotate-secret").description("sign with a new secret, which is printed only once"),
      async (bus, name) => show(await bus.consumers.rotateSecret(name)),
    ),
    named(new Command("delete").description("delete a consumer, and what it has given up"), async (bus, name) => {
      await bus.consumers.delete(name);
      say(`consumer ${name} is deleted`);
    }),
  ];
}

function deadCommands(): Command[] {
  const dead = new Command("dead").description("print the events that a consumer has given up, one per line");
  const retry = new Command("retry")
    .description("try again what was given up")
    .argument("<name>", "its name")
    .argument("[ids...]", "ids of the events; default: all", (text, ids: readonly number[] = []) => [
      ...ids,
      wholeNumber(1)(text),
    ]);
  return [
    named(dead, async (bus, name) => {
      for await (const one of bus.consumers.dead(name)) await print(`${JSON.stringify(one)}\n`);
    }),
    withConnection(retry).action(async (name: string, ids: readonly number[], flags: ConnectionOptions) => {
      const some = ids.length === 0 ? {} : { ids };
      await print(`${JSON.stringify({ done: await connectTo(flags).consumers.retryDead(name, some) })}\n`);
    }),
  ];
}

/** A command about one consumer. */
function named(command: Command, work: (bus: EventBusClient, name: string) => Promise<void>): Command {
  command.argument("<name>", "its name");
  return withConnection(command).action((name: string, flags: ConnectionOptions) => work(connectTo(flags), name));
}

async function show(consumer: ConsumerInfo): Promise<void> {
  await print(`${JSON.stringify(consumer)}\n`);
}

function tableOf(consumers: readonly ConsumerInfo[]): string {
  const rows = consumers.map(
    ({ name, pattern, order, place, lag, lag_is_exact, in_flight, retrying, dead, paused }) => [
      name,
      pattern.join(" "),
      order,
      String(place),
      `${lag}${lag_is_exact ? "" : "+"}`,
      String(in_flight),
      String(retrying),
      String(dead),
      paused ? "paused" : "-",
    ],
  );
  return new Table("NAME", "PATTERN", "ORDER", "PLACE", "LAG", "OUT", "RETRYING", "DEAD", "STATE").text(rows);
}
