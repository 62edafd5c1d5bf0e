import { Option } from "commander";
import { BusError } from "../bus/errors.ts";
import { environment, environmentName, settings } from "../config.ts";

const { db } = settings;

/** The flag that names the file of the history, with what the command does with it in its help. */
export function databaseOption(help: string): Option {
  const option = new Option(`${db.flag} <${db.unit}>`, help).default(db.default).argParser(fileName);
  const variable = environmentName(db);
  // An empty variable counts as unset.
  return environment()[variable] === "" ? option : option.env(variable);
}

function fileName(text: string): string {
  if (text === "") throw new BusError("parameter_invalid", `${db.flag} must not be empty`);
  return text;
}

/** Throws `parameter_invalid` if the name is that of a history without a file. */
export function requireFile(name: string): void {
  if (name !== ":memory:") return;
  throw new BusError("parameter_invalid", `${name} is no file, and keeps nothing: name a file with ${db.flag}`);
}

/** How many events a history keeps, and which ids they have, in words. */
export function keptWords({ events, floor, head }: { events: number; floor: number; head: number }): string {
  const range = events === 0 ? `none kept, the next id is ${head + 1}` : `ids ${floor} to ${head}`;
  return `${events} event${events === 1 ? "" : "s"}, ${range}`;
}
