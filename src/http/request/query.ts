import { BusError } from "../../bus/errors.ts";
import { type Pattern, parsePattern } from "../../bus/patterns/pattern.ts";
import { type Moment, parseMoment } from "../../bus/start.ts";
import { nearest } from "../../text/nearest.ts";

/** The OpenAPI schema of one value of a parameter. */
interface ValueSchema {
  readonly type: "string" | "integer";
  readonly format?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxLength?: number;
  readonly default?: string | number;
}

/** A query parameter in OpenAPI terms. */
interface ParameterDocumentation {
  name: string;
  in: "query";
  description: string;
  schema: ValueSchema | { type: "array"; items: ValueSchema; maxItems?: number };
  style?: "form";
  explode?: boolean;
}

/** How one query parameter is parsed and documented. */
export interface Parameter<T> {
  /** Throws `BusError` when the text is not valid; the detail need not name the parameter. */
  readonly parse: (text: string) => T;
  readonly description: string;
  readonly schema: ValueSchema;
  readonly isRepeatable?: boolean;
  /** How often it may be given, when it is repeatable and nothing else limits it. */
  readonly maxValues?: number;
}

export type Parameters = Record<string, Parameter<unknown>>;
/** The types of the values of some parameters. */
export type Values<P extends Parameters> = {
  -readonly [K in keyof P]: P[K] extends Parameter<infer T> ? readonly T[] : never;
};

/** The parameter that every route accepts besides its own: the credentials. It never appears in a response. */
export const ACCESS_TOKEN = "access_token";

/** The type of what a query reads. */
export type ValuesOf<Q> = Q extends Query<infer P> ? Values<P> : never;

/** The query parameters of one route: parsed strictly, and documented from the same table. */
export class Query<P extends Parameters> {
  readonly #parameters: P;
  /** The names to read, if others are ignored; undefined if others are rejected. */
  readonly #only: readonly string[] | undefined;
  /** The values of a request without a query, as nearly all are. */
  readonly #nothing: Values<P>;

  /** `others` says what happens to any other parameters; default `refused`. */
  constructor(parameters: P, others: "refused" | "passed" = "refused") {
    this.#parameters = parameters;
    this.#only = others === "passed" ? Object.keys(parameters) : undefined;
    this.#nothing = this.#values([]);
  }

  /**
   * All values of each parameter, in the order given; at most one unless it is repeatable.
   * Throws `parameter_unknown` or whatever the parameter's own test throws, naming the parameter.
   */
  read(url: string): Values<P> {
    return url.includes("?") ? this.#values(searchOf(url, this.#only)) : this.#nothing;
  }

  #values(pairs: readonly [name: string, text: string][]): Values<P> {
    const values: Record<string, unknown[]> = {};
    for (const name of Object.keys(this.#parameters)) values[name] = [];
    for (const [name, text] of pairs) {
      if (name === ACCESS_TOKEN) continue;
      const parameter = Object.hasOwn(this.#parameters, name) ? this.#parameters[name] : undefined;
      if (parameter === undefined) throw this.#unknown(name);
      const known = values[name] ?? [];
      if (known.length > 0 && !parameter.isRepeatable) throw invalid(name, "is given more than once");
      if (known.length === parameter.maxValues) throw invalid(name, `is given more than ${known.length} times`);
      known.push(readOne(name, parameter, text));
    }
    return values as unknown as Values<P>;
  }

  /** For OpenAPI. */
  get documentation(): ParameterDocumentation[] {
    return Object.entries(this.#parameters).map(([name, { description, schema, isRepeatable, maxValues }]) => ({
      name,
      in: "query",
      description: isRepeatable ? `${description} Repeatable.` : description,
      schema: isRepeatable ? { type: "array", items: schema, ...(maxValues && { maxItems: maxValues }) } : schema,
      ...(isRepeatable ? { style: "form", explode: true } : {}),
    }));
  }

  #unknown(name: string): BusError {
    const names = Object.keys(this.#parameters);
    const shown = name.slice(0, 64);
    const known = names.length === 0 ? "this call accepts none" : `this call accepts ${names.join(", ")}`;
    const guess = nearest(name, names);
    const hint = guess === undefined ? "" : `; did you mean ${guess}?`;
    return new BusError(
      "parameter_unknown",
      `the query parameter ${JSON.stringify(shown)} is not known: ${known}${hint}`,
      {
        members: { parameter: shown },
      },
    );
  }
}

/** The query of a route that takes none. */
export const noQuery = new Query({});

/** The largest id a parameter takes: whole numbers up to here are kept exactly by JSON readers everywhere. */
export const MAX_ID = Number.MAX_SAFE_INTEGER;

/** Patterns in one query; it is handled in one turn of the event loop, for which a thousand would be too many. */
export const MAX_PATTERNS_ASKED = 64;

/** A whole number within bounds, both inclusive. */
export function integer(low: number, high: number, description: string, byDefault?: number): Parameter<number> {
  return {
    description,
    schema: {
      type: "integer",
      minimum: low,
      maximum: high,
      ...(byDefault === undefined ? {} : { default: byDefault }),
    },
    parse: (text) => {
      const value = Number(text);
      if (/^\d{1,16}$/.test(text) && value >= low && value <= high) return value;
      throw new BusError("parameter_invalid", `must be a whole number from ${low} to ${high}`);
    },
  };
}

export function moment(description: string): Parameter<Moment> {
  return text(
    parseMoment,
    `${description} An RFC 3339 time such as \`2026-11-23T14:30:00Z\`, or a duration ago such as \`10m\`.`,
  );
}

export function text<T>(
  parse: (text: string) => T,
  description: string,
  schema: Omit<ValueSchema, "type"> = {},
): Parameter<T> {
  return { parse, description, schema: { type: "string", ...schema } };
}

/** The topic must match at least one of these patterns; repeatable, at most `maxValues` times if that is given. */
export function patternParameter(
  maxValues?: number,
  description = "A pattern that the topic must match.",
): Parameter<Pattern> {
  const pattern = text(parsePattern, description, { maxLength: 256, default: "*" });
  return repeatable(pattern, maxValues);
}

export function repeatable<T>(parameter: Parameter<T>, maxValues?: number): Parameter<T> {
  return { ...parameter, isRepeatable: true, ...(maxValues === undefined ? {} : { maxValues }) };
}

/** An error that names its subject, such as a source, stays as it is; any other one is made to name the parameter. */
function readOne(name: string, parameter: Parameter<unknown>, value: string): unknown {
  try {
    return parameter.parse(value);
  } catch (error) {
    if (!(error instanceof BusError) || error.members.parameter !== undefined) throw error;
    if (error.code === "parameter_invalid") throw invalid(name, error.message);
    const detail = `the query parameter ${name}: ${error.message}`;
    throw new BusError(error.code, detail, { members: { ...error.members, parameter: name } });
  }
}

function invalid(name: string, what: string): BusError {
  return new BusError("parameter_invalid", `the query parameter ${name} ${what}`, { members: { parameter: name } });
}

/** The tokens in the query. Throws `parameter_invalid` when one is not percent-encoded UTF-8. */
export function accessTokensIn(url: string): string[] {
  return searchOf(url, ACCESS_TOKENS).map(([, text]) => text);
}
const ACCESS_TOKENS = [ACCESS_TOKEN];

/**
 * Names and values as forms encode them; with `only`, those of these names, however the others are encoded.
 * `URLSearchParams` would turn bytes that are not UTF-8 into U+FFFD.
 */
function searchOf(url: string, only?: readonly string[]): [name: string, text: string][] {
  const start = url.indexOf("?");
  if (start === -1) return [];
  const pairs = url.slice(start + 1).split("&");
  return pairs.filter((pair) => pair !== "" && isWanted(pair, only)).map((pair) => decodePair(pair));
}

function isWanted(pair: string, only: readonly string[] | undefined): boolean {
  if (only === undefined) return true;
  const [name] = cutPair(pair);
  // The names to look for are plain letters, and are nearly always sent that way; other names do not decode to them.
  return only.includes(name.includes("%") ? decodedOr(name, "") : name);
}

function decodedOr(text: string, otherwise: string): string {
  try {
    return decodeFormText(text);
  } catch {
    return otherwise;
  }
}

function cutPair(pair: string): [name: string, text: string] {
  const equals = pair.indexOf("=");
  return equals === -1 ? [pair, ""] : [pair.slice(0, equals), pair.slice(equals + 1)];
}

function decodePair(pair: string): [name: string, text: string] {
  const [name, text] = cutPair(pair);
  try {
    return [decodeFormText(name), decodeFormText(text)];
  } catch (error) {
    throw new BusError("parameter_invalid", "the query is not percent-encoded UTF-8 (a percent sign is %25)", {
      cause: error,
    });
  }
}

function decodeFormText(text: string): string {
  return decodeURIComponent(text.replaceAll("+", " "));
}
