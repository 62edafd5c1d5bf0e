import type { TokenInfo } from "../../protocol/token.ts";
import { BusError } from "../errors.ts";
import { type Principal, principalOf } from "./principal.ts";
import { RecentMap } from "./recent-map.ts";
import { hashOf, makeSecret } from "./secret.ts";
import type { TokenChange, TokenRecord, TokenSpec, TokenStore } from "./token-record.ts";

/** A token that was created or revoked, and by whom: the name of the principal, empty while the bus is open. */
interface Act {
  readonly kind: "made" | "revoked";
  readonly name: string;
  readonly by: string;
}

export interface TokenBookOptions {
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  /** Someone can be an admin without a token. */
  readonly hasOtherAdmins: boolean;
  /** Called for each change that was made here, once it is stored. */
  readonly onChange?: (act: Act) => void;
}

/** One token, and the principal of its bearer. */
interface Entry {
  readonly record: TokenRecord;
  readonly principal: Principal;
}

const NAME = /^[a-z\d][\w.-]{0,63}$/i;
export const MAX_TOKEN_PATTERNS = 64;
/** Secrets cached so that they need not be hashed again: about 4 MB. */
const MAX_REMEMBERED_SECRETS = 32_768;

/**
 * The named tokens, which decide who has access.
 *
 * The first one must be an admin token, and the last admin token cannot be revoked, so the bus cannot become
 * inaccessible. From the first one on, nothing is open. Changes take effect at once.
 */
export class TokenBook {
  readonly #store: TokenStore;
  readonly #clock: () => number;
  readonly #hasOtherAdmins: boolean;
  readonly #onChange: (act: Act) => void;
  readonly #byName = new Map<string, Entry>();
  readonly #byHash = new Map<string, Principal>();
  /** By name. Sorting a hundred thousand whenever they are listed would block the event loop. */
  readonly #inOrder: TokenRecord[] = [];
  readonly #bySecret = new RecentMap<string, Principal>(MAX_REMEMBERED_SECRETS);
  /** Changes are made one after another: each is checked against what the one before it left. */
  #lastChange: Promise<unknown> = Promise.resolve();
  readonly #listeners: ((gone: Principal | undefined) => void)[] = [];
  /** Whether callers without a token were notified that they now need one. */
  #isClosed: boolean;

  constructor(store: TokenStore, { clock, hasOtherAdmins, onChange = () => {} }: TokenBookOptions) {
    this.#store = store;
    this.#clock = clock;
    this.#hasOtherAdmins = hasOtherAdmins;
    this.#onChange = onChange;
    const records = [...store.all()].sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const record of records) this.#add(entryOf(record));
    this.#isClosed = records.length > 0;
    store.onChange((change) => this.#follow(change));
  }

  /** There is no token, and there never was one. */
  get isEmpty(): boolean {
    return !this.#store.isUsed;
  }

  /** False while tokens may exist that are not known yet. */
  get isComplete(): boolean {
    return this.#store.isComplete ?? true;
  }

  /** Whether there is a valid admin token now. */
  get hasAdmin(): boolean {
    return this.#admins().length > 0;
  }

  /** Every token, by name, including expired ones. */
  list(): TokenRecord[] {
    return [...this.#inOrder];
  }

  /**
   * Creates a token; it is valid once this resolves. The secret is returned only here.
   *
   * Rejects with `parameter_invalid` if the name is taken or invalid, if the token would allow nothing or has already
   * expired, or if it is the first one and not an admin token; `pattern_invalid`; or what the store rejects with.
   *
   * @param by the name of the principal that creates it; default: empty.
   */
  create(spec: TokenSpec, by = ""): Promise<{ record: TokenRecord; secret: string }> {
    return this.#change(async () => {
      this.#requireUsable(spec);
      const secret = makeSecret();
      const record: TokenRecord = { ...spec, hash: hashOf(secret), createdMs: this.#clock() };
      entryOf(record); // before it is stored: a malformed pattern throws
      if (!(await this.#store.add(record))) throw nameTaken();
      this.#onChange({ kind: "made", name: spec.name, by });
      return { record, secret };
    });
  }

  /**
   * Revokes the token; it is invalid once this resolves. Rejects with `not_found`, or with `parameter_invalid` if it is
   * the last admin token.
   */
  revoke(name: string, by = ""): Promise<void> {
    return this.#change(async () => {
      const entry = this.#byName.get(name);
      if (entry) this.#requireOtherAdmin(entry);
      const wasKept = await this.#store.remove(name, !this.#hasOtherAdmins);
      if (!entry && !wasKept) throw new BusError("not_found", "there is no token with this name");
      this.#onChange({ kind: "revoked", name, by });
    });
  }

  /** The bearer of the secret, expired or not; undefined if the secret is unknown. */
  find(secret: string): Principal | undefined {
    const known = this.#bySecret.get(secret);
    if (known) return known;
    const principal = this.#byHash.get(hashOf(secret));
    if (principal) this.#bySecret.set(secret, principal);
    return principal;
  }

  /** Calls the listener with each principal whose access ends; with undefined when the bus is no longer open to all. */
  onGone(listener: (gone: Principal | undefined) => void): void {
    this.#listeners.push(listener);
  }

  #change<T>(work: () => Promise<T>): Promise<T> {
    const change = this.#lastChange.then(work);
    this.#lastChange = change.catch(() => {});
    return change;
  }

  /** Takes over what was stored, here or on another node. */
  #follow(change: TokenChange): void {
    if ("removed" in change) {
      this.#remove(change.removed);
      return;
    }
    this.#add(entryOf(change.added));
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#tell(undefined);
  }

  #requireUsable({ name, publish, subscribe, consume, isAdmin, isMonitor, expiresMs }: TokenSpec): void {
    if (!NAME.test(name)) {
      throw invalid(
        "name",
        "a token's name must be 1 to 64 letters, digits, dots, - and _, and begin with a letter or a digit",
      );
    }
    if (this.#byName.has(name)) throw nameTaken();
    for (const [parameter, patterns] of Object.entries({ publish, subscribe, consume })) {
      if (patterns.length <= MAX_TOKEN_PATTERNS) continue;
      throw invalid(parameter, `a token may have at most ${MAX_TOKEN_PATTERNS} patterns to ${parameter}`);
    }
    if (this.isEmpty && !isAdmin) {
      throw invalid("admin", "the first token must be an admin token, otherwise no other could be created");
    }
    if (!isAdmin && !isMonitor && publish.length + subscribe.length + consume.length === 0) {
      throw invalid(
        "publish",
        "a token must allow something: to publish, to subscribe, to consume, to monitor, or to be an admin",
      );
    }
    if (expiresMs !== undefined && expiresMs <= this.#clock()) {
      throw invalid("expires_at", "the expiry time of a token must be in the future");
    }
  }

  #requireOtherAdmin({ record }: Entry): void {
    const admins = this.#admins();
    if (this.#hasOtherAdmins || !admins.includes(record) || admins.length > 1) return;
    throw lastAdmin();
  }

  #admins(): TokenRecord[] {
    const nowMs = this.#clock();
    const isValidAdmin = ({ isAdmin, expiresMs }: TokenRecord) => isAdmin && (expiresMs ?? nowMs + 1) > nowMs;
    return this.#inOrder.filter(isValidAdmin);
  }

  #add(entry: Entry): void {
    const { name, hash } = entry.record;
    this.#byName.set(name, entry);
    this.#byHash.set(hash, entry.principal);
    this.#inOrder.splice(this.#placeOf(name), 0, entry.record);
  }

  #remove(name: string): void {
    const entry = this.#byName.get(name);
    if (!entry) return;
    this.#byName.delete(name);
    this.#byHash.delete(entry.record.hash);
    this.#inOrder.splice(this.#placeOf(name), 1);
    this.#bySecret.clear();
    this.#tell(entry.principal);
  }

  /** Where the token of this name stands in the order, or would stand. */
  #placeOf(name: string): number {
    let low = 0;
    let high = this.#inOrder.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#inOrder[middle]?.name ?? "") < name) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #tell(gone: Principal | undefined): void {
    for (const listener of this.#listeners) listener(gone);
  }
}

/** The public description of a token. */
export function tokenInfoOf({
  name,
  publish,
  subscribe,
  consume,
  isAdmin,
  isMonitor,
  expiresMs,
}: TokenRecord): TokenInfo {
  const expires_at = expiresMs === undefined ? null : new Date(expiresMs).toISOString();
  return { name, publish, subscribe, consume, admin: isAdmin, monitor: isMonitor, expires_at };
}

function entryOf(record: TokenRecord): Entry {
  return { record, principal: principalOf(`token ${record.name}`, record, record.expiresMs) };
}

/** The error for the revocation that would leave no valid admin token. */
export function lastAdmin(): BusError {
  return invalid("name", "this is the last valid admin token: create another one first");
}

function nameTaken(): BusError {
  return invalid("name", "a token with this name exists: revoke it first, or choose another name");
}

function invalid(parameter: string, detail: string): BusError {
  return new BusError("parameter_invalid", detail, { members: { parameter } });
}
