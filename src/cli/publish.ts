import { createReadStream } from "node:fs";
import { Command, type Command as Commander, InvalidArgumentError, Option } from "commander";
import { type EventBusClient, EventBusError } from "../client/index.ts";
import {
  type ConnectionOptions,
  connectTo,
  interruption,
  PATIENT_MS,
  wholeNumber,
  withConnection,
} from "./connection.ts";
import { batches, type LineBatch, LineError } from "./lines.ts";
import { print, say } from "./output.ts";
import { ProgressLine } from "./progress-line.ts";

interface PublishFlags extends ConnectionOptions {
  readonly source?: string;
  readonly text?: boolean;
  readonly ndjson?: boolean;
  readonly skip: number;
  readonly key?: string;
}

const EXAMPLES = `
DATA is JSON; "-" reads it from standard input; left out it is null. The event is printed as the server made it.

With --ndjson, standard input or a FILE holds an event a line: {"topic":"a.b","data":1,"source":"s"}; with a TOPIC,
each line is the data. Lines are sent in batches of up to 10,000, each published whole or not at all, and sent again
with the same Idempotency-Key, for up to 9 minutes, when the connection or the server fails: no line is published
twice. Whatever ends the command early, it says how many lines are published and how to go on. Going on with the
same --key within 10 minutes of the end publishes nothing twice; later, the last batch may come twice.

Examples:
  $ eventbus publish orders.created '{"total":1.10}' --source shop
  $ eventbus publish greetings 'Good morning' --text
  $ date --iso-8601=s | eventbus publish clock - --text
  $ eventbus publish --ndjson events.ndjson
  $ tail -f app.log.json | eventbus publish logs.app --ndjson`;

/** The command that publishes one event, or a stream of them. */
export function publishCommand(): Commander {
  const command = withConnection(new Command("publish"))
    .description("publish an event, or a stream of them")
    .usage("[options] TOPIC [DATA|-]\n       eventbus publish [options] --ndjson [TOPIC] [FILE|-]")
    .argument("[topic]", "topic of the event, such as orders.created")
    .argument("[data]", 'JSON, or "-" for standard input')
    .addOption(new Option("--source <source>", "who publishes"))
    .option("--text", "take DATA as text, and publish it as a JSON string")
    .option("--ndjson", "publish an event for each line of a file or of standard input")
    .option("--skip <lines>", "with --ndjson: pass over so many lines, which are published already", wholeNumber(0), 0)
    .option("--key <key>", "Idempotency-Key: a repeat within 10 minutes publishes nothing; default: a random one", key)
    .addHelpText("after", EXAMPLES);
  return command.action(async (first: string | undefined, second: string | undefined, flags: PublishFlags) => {
    if (flags.ndjson) process.exitCode = await publishLines(sourceOfLines(command, first, second, flags), flags);
    else if (first === undefined) command.error("error: a topic is missing: eventbus publish TOPIC [DATA]");
    else await publishOne(command, first, second, flags);
  });
}

function key(text: string): string {
  if (/^[\x21-\x7e]{1,200}$/.test(text)) return text;
  throw new InvalidArgumentError("It must be 1 to 200 visible ASCII characters.");
}

async function publishOne(command: Commander, topic: string, data: string | undefined, flags: PublishFlags) {
  if (flags.skip > 0) command.error("error: --skip goes with --ndjson only");
  const given = data === "-" ? await Bun.stdin.text() : (data ?? (flags.text ? "" : "null"));
  const json = flags.text ? JSON.stringify(data === "-" ? given.replace(/\r?\n$/, "") : given) : given;
  if (!isJson(json)) {
    command.error(`error: DATA is not JSON: to send text, add --text, or quote it twice: '"text"'`);
  }
  const { source, key: idempotencyKey } = flags;
  const event = await connectTo(flags).publishRaw(topic, json, { source, idempotencyKey });
  await print(`${event.json}\n`);
}

interface Lines {
  /** Of the data; undefined if lines are envelopes. */
  readonly topic: string | undefined;
  /** `-` is standard input. */
  readonly file: string;
}

/** `--ndjson` alone has one place for two things: a file that is there is a file, anything else a topic. */
function sourceOfLines(command: Commander, first = "-", second: string | undefined, flags: PublishFlags): Lines {
  if (flags.text) command.error("error: --text and --ndjson exclude each other");
  const isFile = first === "-" || Bun.file(first).size > 0 || first.includes("/");
  const lines: Lines =
    second === undefined && isFile ? { topic: undefined, file: first } : { topic: first, file: second ?? "-" };
  if (lines.topic === undefined && flags.source !== undefined) {
    command.error("error: --source needs a TOPIC: without one, each line says its own source");
  }
  return lines;
}

async function publishLines({ topic, file }: Lines, flags: PublishFlags): Promise<number> {
  const run = new LineRun(connectTo(flags, PATIENT_MS), flags);
  const input = file === "-" ? process.stdin : createReadStream(file);
  const toEnvelope = topic === undefined ? undefined : envelopeMaker(topic, flags.source);
  try {
    for await (const batch of batches(input, { skip: flags.skip, toEnvelope })) await run.publish(batch);
    await run.finish();
    return 0;
  } catch (error) {
    return run.fail(error);
  }
}

/** Turns a line of data into an envelope; the line must be one value, for it is put between others. */
function envelopeMaker(topic: string, source: string | undefined): (line: string) => string {
  const head = JSON.stringify({ topic, source }).slice(0, -1);
  return (line) => {
    if (!isJson(line)) throw new SyntaxError("it is not JSON");
    return `${head},"data":${line}}`;
  };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Publishes the batches of one run, one after the other, and keeps account of them. */
class LineRun {
  readonly #bus: EventBusClient;
  readonly #key: string;
  readonly #stop = interruption();
  readonly #progress = new ProgressLine();
  readonly #beganMs = performance.now();
  #line: number;
  #events = 0;
  #bytes = 0;

  constructor(bus: EventBusClient, { key: given, skip }: PublishFlags) {
    this.#bus = bus;
    this.#key = given ?? crypto.randomUUID();
    this.#line = skip;
  }

  /** Rejects when it is interrupted, too: nobody knows then whether the batch arrived. */
  async publish({ text, firstLine, lastLine }: LineBatch): Promise<void> {
    try {
      const signal = this.#stop;
      const range = await this.#bus.publishLines(text, { idempotencyKey: `${this.#key}-${firstLine}`, signal });
      this.#events += range.count;
    } catch (error) {
      const line = error instanceof EventBusError ? error.problem?.line : undefined;
      const words = error instanceof Error ? error.message.replace(/^line \d+: /, "") : "";
      throw line === undefined ? error : new LineError(firstLine + line - 1, words);
    }
    this.#line = lastLine;
    this.#bytes += text.length;
    this.#progress.show(this.#account());
  }

  async finish(): Promise<void> {
    this.#progress.clear();
    say(this.#account());
    await print(`${JSON.stringify({ count: this.#events, lines: this.#line })}\n`);
  }

  /** Says what is wrong, what is published, how to go on; gives the exit code. */
  fail(error: unknown): number {
    this.#progress.clear();
    if (error instanceof EventBusError && error.code === "unavailable" && this.#events === 0) throw error;
    const isInterrupted = this.#stop.aborted;
    say(isInterrupted ? "interrupted" : error instanceof Error ? error.message : String(error));
    const until = this.#line === 0 ? "no line is published" : `lines 1 to ${this.#line} are published`;
    say(`${until}; go on with --skip ${this.#line} --key ${this.#key}, within 10 minutes`);
    return isInterrupted ? 130 : 1;
  }

  #account(): string {
    const seconds = Math.max((performance.now() - this.#beganMs) / 1000, 0.001);
    const megabytes = (this.#bytes / 1e6).toFixed(1);
    const count = this.#events.toLocaleString("en");
    return `${count} events published, ${Math.round(this.#events / seconds).toLocaleString("en")}/s, ${megabytes} MB`;
  }
}
