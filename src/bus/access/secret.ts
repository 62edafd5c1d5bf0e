/** Bytes from the system's random source; as hard to guess as the hash is to invert. */
const SECRET_BYTES = 32;

/** What every secret of a named token begins with. */
export const SECRET_PREFIX = "ebt_";

/** A secret that cannot be guessed. */
export function makeSecret(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(SECRET_BYTES));
  return `${SECRET_PREFIX}${Buffer.from(bytes).toString("base64url")}`;
}

/**
 * SHA-256 of a secret, in hexadecimal digits. A fast hash is enough: unlike passwords, 2^256 secrets cannot be tried.
 */
export function hashOf(secret: string): string {
  return Bun.CryptoHasher.hash("sha256", secret, "hex");
}
