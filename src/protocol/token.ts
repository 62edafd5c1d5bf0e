/** What is told of a named token. Its secret is told once, when it is made. */
export interface TokenInfo {
  name: string;
  /** Patterns of the topics that may be published to. */
  publish: readonly string[];
  /** Patterns of the topics whose events may be seen. */
  subscribe: readonly string[];
  /** May prune, see topics and stats, make a backup, and manage the tokens. */
  admin: boolean;
  /** RFC 3339; `null` when it stays valid. */
  expires_at: string | null;
}

/** The answer to making a token, and the only place where its secret stands. */
export interface NewToken extends TokenInfo {
  /** `ebt_…`, to be sent as `Authorization: Bearer`. */
  secret: string;
}
