import type { Draft } from "../text/commands.ts";

/** What was published from this tab. */
export interface Sent extends Draft {
  readonly id: number;
  readonly createdAt: string;
}

const SENT_KEY = "eventbus.sent";
const MAX_SENT = 50;
/** Limit for all of it, in UTF-16 code units: a browser gives a page about five million. */
const MAX_TEXT = 1_000_000;

/** Newest first. */
export function readSent(): readonly Sent[] {
  const stored: unknown = JSON.parse(sessionStorage.getItem(SENT_KEY) ?? "[]");
  return Array.isArray(stored) ? stored.filter(isSent) : [];
}

/** Adds one; drops the oldest if there are too many, or if they take too much space together. */
export function rememberSent(sent: Sent): readonly Sent[] {
  const all = [sent, ...readSent()].slice(0, MAX_SENT);
  while (JSON.stringify(all).length > MAX_TEXT) all.pop();
  sessionStorage.setItem(SENT_KEY, JSON.stringify(all));
  return all;
}

export function forgetSent(): readonly Sent[] {
  sessionStorage.removeItem(SENT_KEY);
  return [];
}

function isSent(value: unknown): value is Sent {
  return typeof value === "object" && value !== null && "id" in value && "data" in value && "topic" in value;
}
