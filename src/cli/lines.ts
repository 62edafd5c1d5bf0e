import { onLine } from "../protocol/problem.ts";

/** The server accepts this many lines in one body. */
const MAX_LINES = 10_000;
/** Characters in a batch: far below the 10 MiB that a server accepts, and enough to make the cost of a batch small. */
const MAX_CHARACTERS = 1024 * 1024;
/**
 * Maximum bytes of one line: more than any server accepts by default. A longer line is not an event, and must not fill
 * memory.
 */
const MAX_LINE_BYTES = 16 * 1024 * 1024;
/** Pause in the input after which the lines so far are published, in milliseconds: `tail -f` should appear at once. */
const IDLE_MS = 100;

const LINE_FEED = 10;

/** Lines to publish at once. */
export interface LineBatch {
  /** Every line, including blank ones, so that lines of the body can be counted. */
  readonly text: string;
  /** Numbers of the lines in the input, from 1. */
  readonly firstLine: number;
  readonly lastLine: number;
}

export interface BatchOptions {
  /** Lines to skip. */
  readonly skip: number;
  /** Creates an envelope from a line that is not blank; its errors are reported with the line number. */
  readonly toEnvelope?: ((line: string) => string) | undefined;
}

/** A line that cannot be published. */
export class LineError extends Error {
  constructor(line: number, what: string) {
    super(onLine(line, what));
  }
}

/**
 * Cuts a stream of bytes into batches of lines. Where it cuts depends on the lines alone, as long as the stream does
 * not pause. A batch is never blank. Holds one batch in memory.
 *
 * @throws LineError after the batch of the lines before it, for a line that is not UTF-8, is too long or has no
 * envelope.
 */
export async function* batches(input: AsyncIterable<Uint8Array>, options: BatchOptions): AsyncGenerator<LineBatch> {
  const batch = new Batch(options.skip);
  for await (const lines of withIdle(linesOf(input))) {
    for (const bytes of lines ?? []) {
      const line = batch.nextLine++;
      if (line <= options.skip) continue;
      const text = read(bytes, line, options.toEnvelope);
      if (typeof text !== "string") {
        yield* batch.take();
        throw text;
      }
      if (!batch.hasRoomFor(text)) yield* batch.take();
      batch.add(text);
    }
    if (lines === undefined) yield* batch.take();
  }
  yield* batch.take();
}

/** The batch in parts of at most this many lines. A part is never blank. */
export function* partsOf(batch: LineBatch, maxLines: number): Generator<LineBatch> {
  const lines = batch.text.split("\n");
  for (let start = 0; start < lines.length; start += maxLines) {
    const part = lines.slice(start, start + maxLines);
    const [text, firstLine] = [part.join("\n"), batch.firstLine + start];
    if (text.trim() !== "") yield { text, firstLine, lastLine: firstLine + part.length - 1 };
  }
}

function read(bytes: Uint8Array, line: number, toEnvelope: BatchOptions["toEnvelope"]): string | LineError {
  try {
    if (bytes.length > MAX_LINE_BYTES) return new LineError(line, `it is longer than ${MAX_LINE_BYTES} bytes`);
    const text = decoder.decode(bytes);
    return text.trim() === "" || toEnvelope === undefined ? text : toEnvelope(text);
  } catch (error) {
    return new LineError(line, error instanceof SyntaxError ? error.message : "it is not UTF-8");
  }
}
const decoder = new TextDecoder("utf-8", { fatal: true });

class Batch {
  nextLine = 1;
  #lines: string[] = [];
  #characters = 0;
  #firstLine: number;

  constructor(skip: number) {
    this.#firstLine = skip + 1;
  }

  hasRoomFor(text: string): boolean {
    return this.#lines.length < MAX_LINES && this.#characters + text.length <= MAX_CHARACTERS;
  }

  add(text: string): void {
    this.#lines.push(text);
    this.#characters += text.length + 1;
  }

  *take(): Generator<LineBatch> {
    const [lines, firstLine] = [this.#lines, this.#firstLine];
    this.#lines = [];
    this.#characters = 0;
    this.#firstLine += lines.length;
    const text = lines.join("\n");
    if (text.trim() !== "") yield { text, firstLine, lastLine: this.#firstLine - 1 };
  }
}

/** The lines of every chunk that ends at least one, without line feeds; of a line that is too long, its beginning. */
async function* linesOf(input: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array[]> {
  let rest: Uint8Array[] = [];
  let restBytes = 0;
  const keep = (bytes: Uint8Array) => {
    if (restBytes <= MAX_LINE_BYTES && bytes.length > 0) rest.push(bytes);
    restBytes += bytes.length;
  };
  for await (const chunk of input) {
    const lines: Uint8Array[] = [];
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, start)) {
      keep(chunk.subarray(start, end));
      lines.push(rest.length === 1 && rest[0] ? rest[0] : Buffer.concat(rest));
      [rest, restBytes, start] = [[], 0, end + 1];
    }
    keep(chunk.slice(start));
    if (lines.length > 0) yield lines;
  }
  if (restBytes > 0) yield [Buffer.concat(rest)];
}

/** The same, and undefined after each pause in the input. */
async function* withIdle<T>(input: AsyncIterable<T>): AsyncGenerator<T | undefined> {
  const iterator = input[Symbol.asyncIterator]();
  let next = iterator.next();
  for (;;) {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const idle = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), IDLE_MS);
    });
    const first = await Promise.race([next, idle]).finally(() => clearTimeout(timer));
    if (first === undefined) yield undefined;
    const result = first ?? (await next);
    if (result.done) return;
    next = iterator.next();
    // The error is reported where the promise is awaited.
    next.catch(() => {});
    yield result.value;
  }
}
