/** Decoded keys that are kept: more than one consumer needs at a time. */
const MAX_KEYS = 4;

/** Signs requests as in Standard Webhooks. */
export class Signer {
  /** By secret: decoding one takes about as long as signing. */
  readonly #keys = new Map<string, Buffer>();

  /** The headers of a request, signed with each of these secrets (`whsec_…`). */
  headers(secrets: readonly string[], id: string, timestampS: number, body: string): Record<string, string> {
    const text = `${id}.${timestampS}.${body}`;
    const signatures = secrets.map((secret) => {
      return `v1,${new Bun.CryptoHasher("sha256", this.#keyOf(secret)).update(text).digest("base64")}`;
    });
    return { "webhook-id": id, "webhook-timestamp": String(timestampS), "webhook-signature": signatures.join(" ") };
  }

  #keyOf(secret: string): Buffer {
    const known = this.#keys.get(secret);
    if (known !== undefined) return known;
    if (this.#keys.size >= MAX_KEYS) this.#keys.clear();
    const key = Buffer.from(secret.slice(secret.indexOf("_") + 1), "base64");
    this.#keys.set(secret, key);
    return key;
  }
}
