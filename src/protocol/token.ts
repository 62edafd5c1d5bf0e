/** The public description of a named token. Its secret is returned once, when it is created. */
export interface TokenInfo {
  name: string;
  /** Patterns of the topics that may be published to. */
  publish: readonly string[];
  /** Patterns of the topics whose events may be read. */
  subscribe: readonly string[];
  /** Patterns of the names of the consumers that may be taken from. */
  consume: readonly string[];
  /** May do everything: publish and read events of every topic, prune, make a backup, and manage the tokens. */
  admin: boolean;
  /** May read metrics, stats and the list of topics, but no events. */
  monitor: boolean;
  /** RFC 3339; `null` if it never expires. */
  expires_at: string | null;
}

/** The response to creating a token, and the only one that contains its secret. */
export interface NewToken extends TokenInfo {
  /** `ebt_…`, to be sent as `Authorization: Bearer`. */
  secret: string;
}
