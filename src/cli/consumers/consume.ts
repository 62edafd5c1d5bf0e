import { Command } from "commander";
import type { Delivery, EventBusClient } from "../../client/index.ts";
import { type ConnectionOptions, connectTo, interruption, wholeNumber, withConnection } from "../connection.ts";
import { ShieldedCommands } from "../terminal/exec.ts";
import { outputClosing, print, say } from "../terminal/output.ts";

interface ConsumeFlags extends ConnectionOptions {
  readonly exec?: string;
  readonly parallel: number;
  readonly max?: number;
}

/** Deliveries that one command works on at a time, at most: each is a process. */
const MAX_PARALLEL = 256;
/** A delivery is extended this often within the time that it may be out, so that one lost request does no harm. */
const EXTENSIONS = 3;
const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

const EXAMPLES = `
Without --exec, each event is printed to standard output and acknowledged.

--exec runs the command in the shell for each event, with the event on its
standard input, and EVENTBUS_ID, EVENTBUS_TOPIC and EVENTBUS_SOURCE in its
environment. When it exits with 0, the event is acknowledged; otherwise it comes
again by the schedule of the consumer. While it runs, the delivery is extended.
A gap that retention has made is reported and acknowledged. With Ctrl-C, commands
that are running are completed first; another Ctrl-C terminates them.

Examples:
  $ eventbus consume billing
  $ eventbus consume billing --exec './charge.sh' --parallel 8
  $ eventbus consume billing --max 1 | jq .data`;

/** The command that works for a consumer. */
export function consumeCommand(): Command {
  const command = new Command("consume")
    .description("take events from a consumer, and print them or run a command for each")
    .argument("<name>", "the name of the consumer")
    .option("--exec <command>", "run a command for each event; exit 0 acknowledges it")
    .option("--parallel <n>", "how many events to work on at a time", wholeNumber(1, MAX_PARALLEL), 1)
    .option("--max <n>", "exit after n deliveries", wholeNumber(1))
    .addHelpText("after", EXAMPLES);
  return withConnection(command).action((name: string, flags: ConsumeFlags) => consume(name, flags));
}

async function consume(name: string, flags: ConsumeFlags): Promise<void> {
  const bus = connectTo(flags);
  const interrupted = interruption();
  const signal = flags.exec === undefined ? AbortSignal.any([interrupted, outputClosing()]) : interrupted;
  const extendMs = flags.exec === undefined ? undefined : await extendEveryMs(bus, name);
  let left = flags.max ?? Number.POSITIVE_INFINITY;
  const consumption = bus.consume(name, { credit: Math.min(flags.parallel, left), signal });
  const commands = new ShieldedCommands();
  const running = new Set<Promise<void>>();
  for await (const delivery of consumption) {
    const work = handle(delivery, flags.exec, commands, extendMs).finally(() => running.delete(work));
    running.add(work);
    if (running.size >= flags.parallel) await Promise.race(running);
    if (--left === 0) break;
  }
  await Promise.all(running);
}

async function handle(
  delivery: Delivery,
  exec: string | undefined,
  commands: ShieldedCommands,
  extendMs: number | undefined,
): Promise<void> {
  const { event, gap } = delivery;
  if (event === undefined) {
    say(`gap: the events between ${gap?.after} and ${gap?.next} are no longer kept`);
    await settled(delivery.ack(), "a gap");
    return;
  }
  if (exec === undefined) {
    await print(`${event.json}\n`);
    await settled(delivery.ack(), `event ${event.id}`);
    return;
  }
  const extending = setInterval(() => void delivery.extend().catch(() => {}), extendMs);
  const failure = await commands.run(exec, event);
  clearInterval(extending);
  if (failure === undefined) await settled(delivery.ack(), `event ${event.id}`);
  else {
    say(`the command ${failure} for event ${event.id}`);
    await settled(delivery.nack({ reason: `the command ${failure}` }), `event ${event.id}`);
  }
}

async function settled(settling: Promise<boolean>, what: string): Promise<void> {
  if (!(await settling)) say(`${what} was taken back meanwhile, and comes again`);
}

async function extendEveryMs(bus: EventBusClient, name: string): Promise<number> {
  const { ack_timeout } = await bus.consumers.get(name);
  const [, number = "", unit = ""] = /^(\d+)(\w+)$/.exec(ack_timeout) ?? [];
  return (Number(number) * (UNITS_MS[unit] ?? 1000)) / EXTENSIONS;
}
