import { Option } from "commander";
import { environmentName, settings } from "../config.ts";

/** The flag that names the file of the history, with what the command does with it in its help. */
export function databaseOption(help: string): Option {
  const { db } = settings;
  return new Option(`${db.flag} <${db.unit}>`, help).env(environmentName(db)).default(db.default);
}

/** How many events a history keeps, and which ids they have, in words. */
export function keptWords({ events, floor, head }: { events: number; floor: number; head: number }): string {
  const range = events === 0 ? `none kept, the next id is ${head + 1}` : `ids ${floor} to ${head}`;
  return `${events} event${events === 1 ? "" : "s"}, ${range}`;
}
