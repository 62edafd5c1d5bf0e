import { readFileSync } from "node:fs";
import { parse, TomlDate, TomlError, type TomlTable, type TomlValue } from "smol-toml";
import { BusError } from "./bus/errors.ts";
import { CONFIG_FLAG, type FileValues, fileKey, settings } from "./config.ts";
import type { Setting } from "./setting-kinds.ts";
import { nearest } from "./text/nearest.ts";
import { readFailure } from "./text/read-failure.ts";

/**
 * Reads a configuration file in TOML: the names are the flags without their dashes, such as `max-history = 1000`.
 *
 * Throws `parameter_unknown` for a key that is not known, `parameter_invalid` for a file that cannot be read, is not
 * TOML, or gives a key a value of the wrong type. The range of a value is tested by `resolveConfig`.
 */
export function readConfigFile(path: string): FileValues {
  const rows: readonly Setting<unknown>[] = Object.values(settings);
  const values: Record<string, readonly string[]> = {};
  for (const [key, value] of Object.entries(parseToml(path))) {
    const setting = rows.find((one) => fileKey(one) === key);
    if (setting === undefined) throw unknownKey(path, key, rows.map(fileKey));
    const texts = textsOf(setting, value);
    if (texts === undefined) throw invalid(`${path}: ${key} must be ${rightType(setting)}, not ${typeName(value)}`);
    values[setting.flag] = texts;
  }
  return { path, values };
}

/** What a setting is in a configuration file, in words. */
function rightType({ unit, isRepeatable }: Setting<unknown>): string {
  if (isRepeatable) return 'an array of strings, such as ["a", "b"]';
  if (unit === undefined) return "true or false";
  if (unit === "number") return "a whole number";
  if (unit === "size") return 'a string such as "10MiB", or a number of bytes';
  return unit === "duration" ? 'a string such as "30s"' : "a string";
}

function parseToml(path: string): TomlTable {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw invalid(`${CONFIG_FLAG} ${path} cannot be read: ${readFailure(error)}`);
  }
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [reason = ""] = error.message.replace(/^Invalid TOML document: /, "").split("\n");
    throw invalid(`${path} is not TOML: line ${error.line}, column ${error.column}: ${reason}`);
  }
}

/** As they would be written on the command line; undefined if the type is wrong. */
function textsOf({ unit, isRepeatable }: Setting<unknown>, value: TomlValue): readonly string[] | undefined {
  if (isRepeatable && Array.isArray(value)) {
    return value.every((one) => typeof one === "string") ? value : undefined;
  }
  if (unit === undefined) return typeof value === "boolean" ? [String(value)] : undefined;
  if (typeof value === "string") return unit === "number" && value !== "off" ? undefined : [value];
  const takesNumbers = unit === "number" || unit === "size";
  return takesNumbers && typeof value === "number" ? [String(value)] : undefined;
}

function typeName(value: TomlValue): string {
  if (value instanceof TomlDate) return "a date";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object") return "a table";
  return typeof value === "string" ? "a string" : typeof value === "boolean" ? "a boolean" : `the number ${value}`;
}

function unknownKey(path: string, key: string, keys: readonly string[]): BusError {
  const guess = nearest(key, keys);
  const hint = guess === undefined ? `the keys are ${keys.join(", ")}` : `did you mean ${guess}?`;
  return new BusError("parameter_unknown", `${path}: the key ${key} is not known: ${hint}`);
}

function invalid(detail: string): BusError {
  return new BusError("parameter_invalid", detail);
}
