const LINES_TYPE = "application/x-ndjson";

/** A media range of `Accept` with its parameters (RFC 9110, section 12.5.1). */
const MEDIA_RANGE = /([^\s,;]+)\s*((?:;[^,;]*)*)/g;
const WEIGHT = /;\s*q\s*=\s*(0(?:\.\d*)?|1(?:\.0*)?)\s*(?=;|$)/;
/** Commas and semicolons inside it separate nothing. */
const QUOTED = /"(?:[^"\\]|\\.)*"/g;

/** How much a type is wanted, from 0 to 1, and how exactly it was named: 2 by its name, 1 by its kind, 0 by `*`. */
interface Wish {
  readonly weight: number;
  readonly exactness: number;
}

/**
 * Whether the client prefers JSON lines to the default type. If it accepts both equally, it must have named JSON lines.
 */
export function prefersLines(request: Request, otherwise: "application/json" | "text/event-stream"): boolean {
  const accept = request.headers.get("accept");
  if (accept === null) return false;
  const ranges = [...accept.toLowerCase().replaceAll(QUOTED, '""').matchAll(MEDIA_RANGE)];
  const lines = wishFor(LINES_TYPE, ranges);
  const other = wishFor(otherwise, ranges);
  if (lines.weight === other.weight) return lines.weight > 0 && lines.exactness === 2;
  return lines.weight > other.weight;
}

/** The wish of the range that names the type most exactly; a type that no range names is not wanted. */
function wishFor(type: string, ranges: readonly RegExpExecArray[]): Wish {
  const names = ["*/*", `${type.slice(0, type.indexOf("/"))}/*`, type];
  let wish: Wish = { weight: 0, exactness: -1 };
  for (const [, range = "", parameters = ""] of ranges) {
    const exactness = names.indexOf(range);
    if (exactness > wish.exactness) wish = { weight: Number(WEIGHT.exec(parameters)?.[1] ?? 1), exactness };
  }
  return wish;
}
