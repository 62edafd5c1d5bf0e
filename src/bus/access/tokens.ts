import type { TokenInfo } from "../../protocol/token.ts";
import { BusError } from "../errors.ts";
import type { Principal } from "./principal.ts";
import { RecentMap } from "./recent-map.ts";
import { scopeOf } from "./scope.ts";
import { hashOf, makeSecret } from "./secret.ts";

/** What a token is made with. */
export interface TokenSpec {
  /** 1 to 64 of letters, digits, `.`, `_` and `-`, the first one a letter or a digit. */
  readonly name: string;
  /** Patterns of the topics that may be published to, at most 64. */
  readonly publish: readonly string[];
  /** Patterns of the topics whose events may be seen, at most 64. */
  readonly subscribe: readonly string[];
  readonly isAdmin: boolean;
  /** From when on it is not valid, in milliseconds since 1970; undefined: never. */
  readonly expiresMs: number | undefined;
}

/** A token as it is kept: of its secret there is only the hash. */
export interface TokenRecord extends TokenSpec {
  readonly hash: string;
  readonly createdMs: number;
}

/** Where tokens are kept. */
export interface TokenStore {
  /** Every token that is intact. */
  all(): readonly TokenRecord[];
  /** Whether there is any, or may have been one that is lost: then nothing may be open. */
  readonly isUsed: boolean;
  /** Resolves when it survives a crash. Rejects with what `EventLog.append` rejects with. */
  add(record: TokenRecord): Promise<void>;
  /** Resolves with whether there was one of that name, when its removal survives a crash. Rejects as `add`. */
  remove(name: string): Promise<boolean>;
}

/** A token that was made or revoked, and by whom: the name of the principal, empty while the bus is open. */
interface TokenChange {
  readonly kind: "made" | "revoked";
  readonly name: string;
  readonly by: string;
}

export interface TokenBookOptions {
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  /** Somebody may be an admin without a token. */
  readonly hasOtherAdmins: boolean;
  /** Told of each change once it is kept. */
  readonly onChange?: (change: TokenChange) => void;
}

/** One token, and who it makes of its bearer. */
interface Entry {
  readonly record: TokenRecord;
  readonly principal: Principal;
}

const NAME = /^[a-z\d][\w.-]{0,63}$/i;
export const MAX_TOKEN_PATTERNS = 64;
/** Secrets whose bearer is known without hashing them again: some 4 MB. */
const MAX_REMEMBERED_SECRETS = 32_768;

/**
 * The named tokens: who may be let in.
 *
 * The first one must be an admin's, and the last admin's cannot be revoked, so that nobody locks everybody out. From
 * the first one on nothing is open. Changes hold at once.
 */
export class TokenBook {
  readonly #store: TokenStore;
  readonly #options: TokenBookOptions;
  readonly #byName = new Map<string, Entry>();
  readonly #byHash = new Map<string, Principal>();
  /** By name. To sort a hundred thousand whenever they are listed would hold the loop. */
  readonly #inOrder: TokenRecord[] = [];
  readonly #bySecret = new RecentMap<string, Principal>(MAX_REMEMBERED_SECRETS);
  /** Changes are made one after another: each is checked against what the one before it has left. */
  #lastChange: Promise<unknown> = Promise.resolve();
  readonly #listeners: ((gone: Principal | undefined) => void)[] = [];

  constructor(store: TokenStore, options: TokenBookOptions) {
    this.#store = store;
    this.#options = options;
    const records = [...store.all()].sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const record of records) this.#add(entryOf(record));
  }

  /** There is no token, and there never was one. */
  get isEmpty(): boolean {
    return !this.#store.isUsed;
  }

  /** Whether a token of an admin is valid now. */
  get hasAdmin(): boolean {
    return this.#admins().length > 0;
  }

  /** Every token, by name, expired ones too. */
  list(): TokenRecord[] {
    return [...this.#inOrder];
  }

  /**
   * Makes a token; it is valid once this resolves. The secret is returned here and never again.
   *
   * Rejects with `parameter_invalid` when the name is taken or is none, when the token would be allowed nothing or has expired
   * already, or when it is the first one and not an admin's; `pattern_invalid`; or what the store rejects with.
   *
   * @param by the name of the principal that makes it; default nobody's.
   */
  create(spec: TokenSpec, by = ""): Promise<{ record: TokenRecord; secret: string }> {
    return this.#change(async () => {
      this.#requireUsable(spec);
      const secret = makeSecret();
      const record: TokenRecord = { ...spec, hash: hashOf(secret), createdMs: this.#options.clock() };
      const isFirst = this.isEmpty;
      const entry = entryOf(record);
      await this.#store.add(record);
      this.#add(entry);
      if (isFirst) this.#tell(undefined);
      this.#options.onChange?.({ kind: "made", name: spec.name, by });
      return { record, secret };
    });
  }

  /**
   * Makes the token invalid; it is so once this resolves. Rejects with `not_found`, or with `parameter_invalid` when it is
   * the last admin's.
   */
  revoke(name: string, by = ""): Promise<void> {
    return this.#change(async () => {
      const entry = this.#byName.get(name);
      if (entry) this.#requireOtherAdmin(entry);
      const wasKept = await this.#store.remove(name);
      if (!entry && !wasKept) throw new BusError("not_found", "there is no token of this name");
      this.#options.onChange?.({ kind: "revoked", name, by });
      if (!entry) return;
      this.#byName.delete(name);
      this.#byHash.delete(entry.record.hash);
      this.#inOrder.splice(this.#placeOf(name), 1);
      this.#bySecret.clear();
      this.#tell(entry.principal);
    });
  }

  /** Whose secret it is, expired or not; undefined when it is nobody's. */
  find(secret: string): Principal | undefined {
    const known = this.#bySecret.get(secret);
    if (known) return known;
    const principal = this.#byHash.get(hashOf(secret));
    if (principal) this.#bySecret.set(secret, principal);
    return principal;
  }

  /** Calls the listener with whoever may do nothing any more; with undefined when the bus is no longer open to all. */
  onGone(listener: (gone: Principal | undefined) => void): void {
    this.#listeners.push(listener);
  }

  #change<T>(work: () => Promise<T>): Promise<T> {
    const change = this.#lastChange.then(work);
    this.#lastChange = change.catch(() => {});
    return change;
  }

  #requireUsable({ name, publish, subscribe, isAdmin, expiresMs }: TokenSpec): void {
    if (!NAME.test(name)) {
      throw invalid(
        "name",
        "a token's name must be 1 to 64 letters, digits, dots, - and _, and begin with a letter or a digit",
      );
    }
    if (this.#byName.has(name))
      throw invalid("name", "there is a token of this name: revoke it first, or take another");
    for (const [parameter, patterns] of Object.entries({ publish, subscribe })) {
      if (patterns.length <= MAX_TOKEN_PATTERNS) continue;
      throw invalid(parameter, `a token takes at most ${MAX_TOKEN_PATTERNS} patterns to ${parameter}`);
    }
    if (this.isEmpty && !isAdmin) {
      throw invalid("admin", "the first token must be an admin's, or nobody could make another one");
    }
    if (!isAdmin && publish.length === 0 && subscribe.length === 0) {
      throw invalid("publish", "a token must be allowed something: to publish, to subscribe, or to be an admin");
    }
    if (expiresMs !== undefined && expiresMs <= this.#options.clock()) {
      throw invalid("expires_at", "the time at which a token expires must be to come");
    }
  }

  #requireOtherAdmin({ record }: Entry): void {
    const admins = this.#admins();
    if (this.#options.hasOtherAdmins || !admins.includes(record) || admins.length > 1) return;
    throw invalid("name", "this is the last valid token of an admin: make another one first, or nobody could");
  }

  #admins(): TokenRecord[] {
    const nowMs = this.#options.clock();
    const isValidAdmin = ({ isAdmin, expiresMs }: TokenRecord) => isAdmin && (expiresMs ?? nowMs + 1) > nowMs;
    return this.#inOrder.filter(isValidAdmin);
  }

  #add(entry: Entry): void {
    const { name, hash } = entry.record;
    this.#byName.set(name, entry);
    this.#byHash.set(hash, entry.principal);
    this.#inOrder.splice(this.#placeOf(name), 0, entry.record);
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

/** What may be told of a token. */
export function tokenInfoOf({ name, publish, subscribe, isAdmin, expiresMs }: TokenRecord): TokenInfo {
  const expires_at = expiresMs === undefined ? null : new Date(expiresMs).toISOString();
  return { name, publish, subscribe, admin: isAdmin, expires_at };
}

function entryOf(record: TokenRecord): Entry {
  const { name, publish, subscribe, isAdmin, expiresMs } = record;
  const principal = {
    name: `token ${name}`,
    publish: scopeOf(publish),
    subscribe: scopeOf(subscribe),
    isAdmin,
    expiresMs,
  };
  return { record, principal };
}

function invalid(parameter: string, detail: string): BusError {
  return new BusError("parameter_invalid", detail, { members: { parameter } });
}
