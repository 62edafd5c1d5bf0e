/** What a token, or the claim of a JSON Web Token, grants. */
export interface Grants {
  /** Patterns of the topics that may be published to. */
  readonly publish: readonly string[];
  /** Patterns of the topics whose events may be read. */
  readonly subscribe: readonly string[];
  /** Patterns of the names of the consumers that may be taken from. */
  readonly consume: readonly string[];
  /** Everything, publishing and reading included. */
  readonly isAdmin: boolean;
  /** Metrics, stats and the list of topics, but no events. */
  readonly isMonitor: boolean;
}

/** What a token is created with: at most 64 patterns of each kind. */
export interface TokenSpec extends Grants {
  /** 1 to 64 of letters, digits, `.`, `_` and `-`, the first one a letter or a digit. */
  readonly name: string;
  /** Expiry time, in milliseconds since 1970; undefined: never. */
  readonly expiresMs: number | undefined;
}

/** A token as it is stored, with only the hash of its secret. */
export interface TokenRecord extends TokenSpec {
  readonly hash: string;
  readonly createdMs: number;
}

/** A token that was stored, or the name of one that was removed. */
export type TokenChange = { readonly added: TokenRecord } | { readonly removed: string };

/** The store of the tokens. */
export interface TokenStore {
  /** Every token that is intact. */
  all(): readonly TokenRecord[];
  /** Whether there is a token, or may have been one that was lost: then nothing may be open. */
  readonly isUsed: boolean;
  /** False while tokens may exist that are not known here yet: then none is rejected for good. Omitted: true. */
  readonly isComplete?: boolean;
  /** Calls the listener with every change once it is stored, whoever made it, before `add` or `remove` resolves. */
  onChange(listener: (change: TokenChange) => void): void;
  /**
   * Resolves when it survives a crash; with false, and stores nothing, if there is a token with that name. Rejects with
   * what `EventLog.append` rejects with.
   */
  add(record: TokenRecord): Promise<boolean>;
  /**
   * Resolves, once the removal survives a crash, with whether there was a token with that name. Rejects as `add`.
   *
   * @param keepsAdmin whether to reject with `parameter_invalid` when another node has revoked every other admin token.
   */
  remove(name: string, keepsAdmin: boolean): Promise<boolean>;
}
