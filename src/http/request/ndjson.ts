import { BusError } from "../../bus/errors.ts";
import { isSpace } from "../../bus/json-scanner.ts";
import type { Draft } from "../../bus/ports.ts";
import { onLine } from "../../protocol/problem.ts";
import { parseEnvelope } from "./envelope.ts";

/** Envelopes in one body, committed together or not at all; for this many, that takes under a tenth of a second. */
export const MAX_NDJSON_LINES = 10_000;

interface NdjsonLimits {
  /** Envelopes in the body; blank lines do not count. Less than `MAX_NDJSON_LINES` if the rate allows no more. */
  readonly maxLines: number;
  /** UTF-8 bytes of one line. */
  readonly maxLineBytes: number;
}

/**
 * Parses a body of JSON lines: one envelope per line, lines ending in `\n` or `\r\n`, blank ones skipped.
 *
 * @throws BusError what {@link parseEnvelope} throws, with `line`, from 1, and `position` from the start of that line;
 * `payload_too_large` with `limit` for too many envelopes and, with `line` too, for a line that is too long;
 * `json_invalid` if there is no envelope at all.
 */
export function parseEnvelopes(text: string, limits: NdjsonLimits): Draft[] {
  const drafts: Draft[] = [];
  let line = 0;
  for (let start = 0; start < text.length; ) {
    line++;
    const lineFeed = text.indexOf("\n", start);
    const end = lineFeed < 0 ? text.length : lineFeed;
    if (!isBlank(text, start, end)) {
      if (drafts.length === limits.maxLines) throw tooManyLines(limits.maxLines);
      drafts.push(parseLine(text.slice(start, end), line, limits.maxLineBytes));
    }
    start = end + 1;
  }
  if (drafts.length === 0) throw new BusError("json_invalid", "the body contains no envelope");
  return drafts;
}

function isBlank(text: string, start: number, end: number): boolean {
  let at = start;
  while (at < end && isSpace(text.charCodeAt(at))) at++;
  return at === end;
}

function parseLine(text: string, line: number, maxLineBytes: number): Draft {
  if (isLonger(text, maxLineBytes)) throw lineTooLong(line, maxLineBytes);
  try {
    return parseEnvelope(text);
  } catch (error) {
    throw error instanceof BusError ? atLine(error, line, text) : error;
  }
}

/** UTF-8 takes one to three bytes for each UTF-16 unit, so most lines need not be measured. */
function isLonger(text: string, bytesMax: number): boolean {
  if (text.length * 3 <= bytesMax) return false;
  return text.length > bytesMax || Buffer.byteLength(text) > bytesMax;
}

function atLine(error: BusError, line: number, text: string): BusError {
  const endsEarly = error.code === "json_invalid" && error.members.position === text.length;
  const hint = endsEarly ? "; each line must contain a complete envelope" : "";
  const members = { ...error.members, line };
  return new BusError(error.code, onLine(line, `${error.message}${hint}`), { cause: error, members });
}

function tooManyLines(limit: number): BusError {
  const reason = limit < MAX_NDJSON_LINES ? ", as many as may be published per second" : "";
  const detail = `a body may contain at most ${limit} envelopes${reason}`;
  return new BusError("payload_too_large", detail, { members: { limit } });
}

function lineTooLong(line: number, limit: number): BusError {
  const detail = onLine(line, `a line may be at most ${limit} bytes long`);
  return new BusError("payload_too_large", detail, { members: { line, limit } });
}
