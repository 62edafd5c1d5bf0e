import { closeSync, createReadStream, fstatSync, openSync, statSync } from "node:fs";
import { addAbortSignal, type Readable } from "node:stream";
import { Command, type Command as Commander, InvalidArgumentError, Option } from "commander";
import { BusError } from "../bus/errors.ts";
import { type EventBusClient, EventBusError } from "../client/index.ts";
import { withoutLine } from "../protocol/problem.ts";
import {
  adviceOn,
  type ConnectionOptions,
  connectTo,
  interruption,
  PATIENT_MS,
  wholeNumber,
  withConnection,
} from "./connection.ts";
import { batches, type LineBatch, LineError, partsOf } from "./lines.ts";
import { print, say } from "./terminal/output.ts";
import { ProgressLine } from "./terminal/progress-line.ts";

interface PublishFlags extends ConnectionOptions {
  readonly source?: string;
  readonly text?: boolean;
  readonly ndjson?: boolean;
  readonly file?: string;
  readonly skip: number;
  readonly key?: string;
}

/** Silence on standard input after which the command reports that it is reading it, in milliseconds. */
const HINT_MS = 2000;

const EXAMPLES = `
DATA is JSON. If it is omitted or "-", it is read from standard input when
something is piped in, and is null otherwise. The published event is printed.

With --ndjson, standard input, or the file given by --file, has one event per
line: {"topic":"a.b","data":1,"source":"s"}; with a TOPIC, each line is the
data. Lines are sent in batches of up to 10,000 (fewer if the server has a
--rate-limit), each published whole or not at all. When the connection or the
server fails, a batch is retried with the same Idempotency-Key for up to 9
minutes: no line is published twice. If the command ends early, it reports how
many lines are published and how to continue. Continuing with the same --key
within 10 minutes of the end publishes nothing twice; later than that, the last
batch may be published twice.

Examples:
  $ eventbus publish orders.created '{"total":1.10}' --source shop
  $ eventbus publish greetings 'Good morning' --text
  $ date --iso-8601=s | eventbus publish clock - --text
  $ eventbus publish --ndjson --file events.ndjson
  $ tail -f app.log.json | eventbus publish logs.app --ndjson`;

/** The command that publishes one event, or a stream of them. */
export function publishCommand(): Commander {
  const command = new Command("publish")
    .description("publish an event, or a stream of them")
    .usage("[options] TOPIC [DATA|-]\n       eventbus publish [options] --ndjson [TOPIC]")
    .argument("[topic]", "topic of the event, such as orders.created")
    .argument("[data]", 'JSON, or "-" for standard input')
    .addOption(new Option("--source <source>", "name of the publisher"))
    .option("--text", "treat DATA as text, and publish it as a JSON string")
    .option("--ndjson", "publish an event for each line of standard input")
    .option("--file <file>", "with --ndjson: read the lines from this file instead")
    .option("--skip <lines>", "with --ndjson: skip this many lines, which are already published", wholeNumber(0), 0)
    .option("--key <key>", "Idempotency-Key: a repeat within 10 minutes publishes nothing; default: a random one", key)
    .addHelpText("after", EXAMPLES);
  return withConnection(command).action(
    async (first: string | undefined, second: string | undefined, flags: PublishFlags) => {
      if (flags.ndjson) process.exitCode = await publishLines(sourceOfLines(command, first, second, flags), flags);
      else if (first === undefined) command.error("error: a topic is missing: eventbus publish TOPIC [DATA]");
      else await publishOne(command, first, second, flags);
    },
  );
}

function key(text: string): string {
  if (/^[\x21-\x7e]{1,200}$/.test(text)) return text;
  throw new InvalidArgumentError("It must be 1 to 200 visible ASCII characters.");
}

async function publishOne(command: Commander, topic: string, given: string | undefined, flags: PublishFlags) {
  for (const name of ["skip", "file"]) {
    if (command.getOptionValueSource(name) === "cli") command.error(`error: --${name} goes with --ndjson only`);
  }
  const isRead = given === "-" || (given === undefined && isPiped());
  const data = isRead ? await readInput(command) : (given ?? "");
  const nothing = given === undefined && data === "" ? "null" : data;
  const json = flags.text ? JSON.stringify(isRead ? data.replace(/\r?\n$/, "") : data) : nothing;
  if (!isJson(json)) {
    command.error(`error: DATA is not JSON: to send text, add --text, or quote it twice: '"text"'`);
  }
  const { source, key: idempotencyKey } = flags;
  const event = await connectTo(flags).publishRaw(topic, json, { source, idempotencyKey });
  await print(`${event.json}\n`);
}

/** Whether standard input is a pipe or a file, rather than a terminal or nothing. */
function isPiped(): boolean {
  const stats = fstatSync(0);
  return stats.isFIFO() || stats.isFile() || stats.isSocket();
}

/** All of standard input. After a while without input, reports that the command is waiting for it. */
async function readInput(command: Commander): Promise<string> {
  const hint = setTimeout(() => say("waiting for data on standard input; to read nothing, pass DATA"), HINT_MS);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(await Bun.stdin.bytes());
  } catch {
    return command.error("error: standard input is not UTF-8: convert it first, as with iconv");
  } finally {
    clearTimeout(hint);
  }
}

interface Lines {
  /** The topic of the data; undefined if lines are envelopes. */
  readonly topic: string | undefined;
  /** Undefined: standard input. */
  readonly file: string | undefined;
}

/** The first word is always a topic, so a misspelt file cannot become one; `-` is standard input in either place. */
function sourceOfLines(command: Commander, first = "-", second: string | undefined, flags: PublishFlags): Lines {
  const { text, file, source } = flags;
  const topic = first === "-" ? undefined : first;
  if (text) command.error("error: --text and --ndjson are mutually exclusive");
  if ((second ?? "-") !== "-")
    command.error("error: with --ndjson, lines come from standard input, or from --file FILE");
  if (topic !== undefined && second === undefined && file === undefined && isFile(topic)) {
    const asTopic = `for a topic of that name, eventbus publish ${topic} - --ndjson`;
    command.error(`error: ${topic} is a file: for its lines, eventbus publish --ndjson --file ${topic}; ${asTopic}`);
  }
  if (topic === undefined && source !== undefined) {
    command.error("error: --source needs a TOPIC: without one, each line has its own source");
  }
  return { topic, file };
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

async function publishLines({ topic, file }: Lines, flags: PublishFlags): Promise<number> {
  const stop = interruption();
  const run = new LineRun(connectTo(flags, PATIENT_MS), flags, stop);
  const input = file === undefined ? standardInput(topic) : contentsOf(file);
  const toEnvelope = topic === undefined ? undefined : envelopeMaker(topic, flags.source);
  try {
    for await (const batch of batches(addAbortSignal(stop, input), { skip: flags.skip, toEnvelope }))
      await run.publish(batch);
    await run.finish();
    return 0;
  } catch (error) {
    return run.fail(error);
  }
}

function standardInput(topic: string | undefined): Readable {
  if (process.stdin.isTTY) {
    const what = topic === undefined ? 'events, such as {"topic":"a.b","data":1}' : `the data of events to ${topic}`;
    say(`type ${what}, one per line; end with Ctrl-D`);
  }
  return process.stdin;
}

/** Throws if it cannot be read. */
function contentsOf(file: string): Readable {
  try {
    const fd = openSync(file, "r");
    if (!fstatSync(fd).isDirectory()) return createReadStream(file, { fd });
    closeSync(fd);
  } catch (error) {
    const reason = error instanceof Error && "code" in error ? String(error.code) : "";
    const words = reason === "ENOENT" ? `there is no file ${file}` : `${file} cannot be read: ${reason}`;
    throw new BusError("not_found", words, { cause: error });
  }
  throw new BusError("not_found", `${file} is a folder`);
}

/** Turns a line of data into an envelope; the line must be a single value, as it is inserted between others. */
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

/** Whether it is certain that nothing was published, so the whole command can be repeated. */
function isRefused({ code, status = 0 }: EventBusError): boolean {
  return code === "unavailable" || (status >= 400 && status < 500);
}

function wordsOf(error: unknown): string {
  if (error instanceof EventBusError) return adviceOn(error);
  return error instanceof Error ? error.message : String(error);
}

/** Publishes the batches of one run, one after another, and counts them. */
class LineRun {
  readonly #bus: EventBusClient;
  readonly #key: string;
  readonly #stop: AbortSignal;
  readonly #progress = new ProgressLine();
  readonly #beganMs = performance.now();
  #line: number;
  #events = 0;
  #bytes = 0;
  /** Lines that the server accepts at once: with `--rate-limit` as many as it allows per second. */
  #maxLines = Number.POSITIVE_INFINITY;

  constructor(bus: EventBusClient, { key: given, skip }: PublishFlags, stop: AbortSignal) {
    this.#bus = bus;
    this.#stop = stop;
    this.#key = given ?? crypto.randomUUID();
    this.#line = skip;
  }

  /** Also rejects when it is interrupted: it is then unknown whether the batch arrived. */
  async publish(batch: LineBatch): Promise<void> {
    for (const part of partsOf(batch, this.#maxLines)) await this.#publishPart(part);
    this.#line = batch.lastLine;
  }

  async #publishPart(part: LineBatch): Promise<void> {
    const { text, firstLine, lastLine } = part;
    try {
      const signal = this.#stop;
      const range = await this.#bus.publishLines(text, { idempotencyKey: `${this.#key}-${firstLine}`, signal });
      this.#events += range.count;
    } catch (error) {
      const problem = error instanceof EventBusError ? error.problem : undefined;
      if (problem?.line === undefined) {
        const maxLines = problem?.code === "payload_too_large" ? (problem.limit ?? 0) : 0;
        if (maxLines < 1 || maxLines > lastLine - firstLine) throw error;
        this.#maxLines = maxLines;
        return this.publish(part);
      }
      throw new LineError(firstLine + problem.line - 1, withoutLine(problem));
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

  /** Reports what is wrong, what is published and how to continue; returns the exit code. */
  fail(error: unknown): number {
    this.#progress.clear();
    if (this.#events === 0 && error instanceof EventBusError && isRefused(error)) throw error;
    const isInterrupted = this.#stop.aborted;
    say(isInterrupted ? "interrupted" : wordsOf(error));
    const until = this.#line === 0 ? "no line is published" : `lines 1 to ${this.#line} are published`;
    say(`${until}; continue with --skip ${this.#line} --key ${this.#key}, within 10 minutes`);
    return isInterrupted ? 130 : 1;
  }

  #account(): string {
    const seconds = Math.max((performance.now() - this.#beganMs) / 1000, 0.001);
    const megabytes = (this.#bytes / 1e6).toFixed(1);
    const count = this.#events.toLocaleString("en");
    return `${count} events published, ${Math.round(this.#events / seconds).toLocaleString("en")}/s, ${megabytes} MB`;
  }
}
