import type { TokenRecord } from "../bus/access/token-record.ts";
import type { ConsumerChange } from "../bus/consumers/ports.ts";
import { BusError } from "../bus/errors.ts";
import type { RawJson } from "../bus/json.ts";
import type { Change, Draft, Entry } from "../bus/ports.ts";
import { parseSource, parseTopic, type Topic } from "../bus/topic.ts";
import { listOf, objectOf, textOf, textsOf, wholeOf } from "./codec-values.ts";
import { consumerChangeOf } from "./consumers/codec.ts";

/**
 * The first byte of every entry. It rises when an older program would misread an entry. Programs MUST read all lower
 * versions, and write a new one only in the release after the one that reads it, so that nodes can be updated one by
 * one.
 */
export const ENTRY_VERSION = 1;

/** An entry cannot be read. Every node adopts entries in the same order, so none may skip it. */
export class EntryError extends BusError {
  constructor(detail: string) {
    super("unavailable", detail);
  }
}

/**
 * The bytes of an entry: the version, then lines of UTF-8. The first line is JSON: who made the entry, and its changes
 * in short. Then each draft has a line: topic, source and data, separated by tabs.
 *
 * Data is JSON text on one line, so it contains neither a line break nor a tab, and need not be escaped.
 */
export function encodeEntry({ node, number, atMs, changes }: Entry): Uint8Array {
  const lines = [JSON.stringify({ node, number, at: atMs, changes: changes.map(briefOf) })];
  for (const change of changes) {
    if (change.kind !== "append") continue;
    for (const { topic, source, data } of change.drafts) {
      lines.push(`${topic}\t${source === "" ? "" : JSON.stringify(source)}\t${data}`);
    }
  }
  return Buffer.from(`${String.fromCharCode(ENTRY_VERSION)}${lines.join("\n")}`);
}

/** Throws an `EntryError` if the bytes are of a newer version, or no entry. */
export function decodeEntry(bytes: Uint8Array): Entry {
  const version = bytes[0] ?? 0;
  if (version > ENTRY_VERSION) {
    throw new EntryError(
      `it was written by a newer eventbus (version ${version}, this one reads ${ENTRY_VERSION}): update this node`,
    );
  }
  try {
    return parse(decoder.decode(bytes.subarray(1)));
  } catch (error) {
    throw new EntryError(`it is no entry of eventbus: ${error instanceof Error ? error.message : String(error)}`);
  }
}
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A change in the first line. */
type Brief =
  | { readonly append: number; readonly key?: string }
  | { readonly addToken: Omit<TokenRecord, "expiresMs"> & { readonly expiresMs?: number | undefined } }
  | { readonly removeToken: string; readonly keepsAdmin: boolean }
  | { readonly prune: number }
  | { readonly origin: number; readonly hash: string }
  | { readonly claimConsumers: number }
  | { readonly saveConsumers: readonly ConsumerChange[]; readonly isLast: boolean };

function briefOf(change: Change): Brief {
  switch (change.kind) {
    case "append": {
      const { drafts, idempotencyKey } = change;
      return { append: drafts.length, ...(idempotencyKey === undefined ? {} : { key: idempotencyKey }) };
    }
    case "addToken":
      return { addToken: change.record };
    case "removeToken":
      return { removeToken: change.name, keepsAdmin: change.keepsAdmin };
    case "prune":
      return { prune: change.upTo };
    case "origin":
      return { origin: change.head, hash: change.hash };
    case "claimConsumers":
      return { claimConsumers: change.revision };
    case "saveConsumers":
      return { saveConsumers: change.changes, isLast: change.isLast };
  }
}

function parse(text: string): Entry {
  const lines = text.split("\n");
  const { node, number, at, changes } = objectOf(JSON.parse(lines[0] ?? ""));
  if (!Array.isArray(changes)) throw new Error("it has no changes");
  const drafts = new Drafts(lines);
  const entry = {
    node: textOf(node),
    number: wholeOf(number),
    atMs: wholeOf(at),
    changes: changes.map((one) => changeOf(objectOf(one), drafts)),
  };
  if (!drafts.isAtEnd) throw new Error("it has more events than its changes name");
  return entry;
}

function changeOf(brief: Readonly<Record<string, unknown>>, drafts: Drafts): Change {
  const { append, key, addToken, removeToken, keepsAdmin, prune, origin, hash } = brief;
  const { claimConsumers, saveConsumers, isLast } = brief;
  if (append !== undefined) {
    return {
      kind: "append",
      drafts: drafts.take(wholeOf(append)),
      idempotencyKey: key === undefined ? undefined : textOf(key),
    };
  }
  if (addToken !== undefined) return { kind: "addToken", record: recordOf(objectOf(addToken)) };
  if (removeToken !== undefined)
    return { kind: "removeToken", name: textOf(removeToken), keepsAdmin: keepsAdmin === true };
  if (prune !== undefined) return { kind: "prune", upTo: wholeOf(prune) };
  if (origin !== undefined) return { kind: "origin", head: wholeOf(origin), hash: textOf(hash) };
  if (claimConsumers !== undefined) return { kind: "claimConsumers", revision: wholeOf(claimConsumers) };
  if (saveConsumers !== undefined) {
    const changes = listOf(saveConsumers).map((one) => consumerChangeOf(objectOf(one)));
    return { kind: "saveConsumers", changes, isLast: isLast === true };
  }
  throw new Error("it has a change of an unknown kind");
}

/** Reads the lines after the first one. Topics and sources repeat, so each is checked once. */
class Drafts {
  readonly #lines: readonly string[];
  readonly #topics = new Map<string, Topic>();
  readonly #sources = new Map<string, string>([["", ""]]);
  #next = 1;

  constructor(lines: readonly string[]) {
    this.#lines = lines;
  }

  get isAtEnd(): boolean {
    return this.#next === this.#lines.length;
  }

  take(count: number): Draft[] {
    if (count > this.#lines.length - this.#next) throw new Error("it has fewer events than its changes name");
    const drafts: Draft[] = [];
    for (let index = 0; index < count; index++) drafts.push(this.#draftOf(this.#lines[this.#next++] ?? ""));
    return drafts;
  }

  #draftOf(line: string): Draft {
    const first = line.indexOf("\t");
    const second = line.indexOf("\t", first + 1);
    if (first < 0 || second < 0) throw new Error("an event has too few parts");
    // The node that made it has checked that it is JSON.
    const data = line.slice(second + 1) as RawJson;
    return { topic: this.#topicOf(line.slice(0, first)), source: this.#sourceOf(line.slice(first + 1, second)), data };
  }

  #topicOf(text: string): Topic {
    const known = this.#topics.get(text);
    if (known !== undefined) return known;
    const topic = parseTopic(text);
    this.#topics.set(text, topic);
    return topic;
  }

  #sourceOf(json: string): string {
    const known = this.#sources.get(json);
    if (known !== undefined) return known;
    const source = parseSource(textOf(JSON.parse(json)));
    this.#sources.set(json, source);
    return source;
  }
}

function recordOf(record: Readonly<Record<string, unknown>>): TokenRecord {
  const { name, hash, publish, subscribe, consume, isAdmin, isMonitor, createdMs, expiresMs } = record;
  return {
    name: textOf(name),
    hash: textOf(hash),
    publish: textsOf(publish),
    subscribe: textsOf(subscribe),
    consume: textsOf(consume),
    isAdmin: isAdmin === true,
    isMonitor: isMonitor === true,
    createdMs: wholeOf(createdMs),
    expiresMs: expiresMs === undefined ? undefined : wholeOf(expiresMs),
  };
}
