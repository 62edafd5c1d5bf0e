/** The public description of a named token. Its secret is returned once, when it is created. */
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

/** The response to creating a token, and the only one that contains its secret. */
export interface NewToken extends TokenInfo {
  /** `ebt_…`, to be sent as `Authorization: Bearer`. */
  secret: string;
}
