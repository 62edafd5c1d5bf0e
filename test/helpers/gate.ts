import { TokenBook, type TokenRecord, type TokenStore } from "../../src/bus/tokens.ts";
import { Gate } from "../../src/http/gate.ts";

/** Tokens that are kept in memory. */
class MemoryTokenStore implements TokenStore {
  readonly #records = new Map<string, TokenRecord>();
  isUsed = false;

  all(): readonly TokenRecord[] {
    return [...this.#records.values()];
  }

  add(record: TokenRecord): void {
    this.#records.set(record.name, record);
    this.isUsed = true;
  }

  remove(name: string): boolean {
    return this.#records.delete(name);
  }

  makeSecret(): string {
    return `ebt_${crypto.randomUUID()}`;
  }

  hashOf(secret: string): string {
    return Bun.CryptoHasher.hash("sha256", secret, "hex");
  }
}

/** A gate that is open until a token is made, and its tokens. */
export function openGate(): { gate: Gate; tokens: TokenBook } {
  const tokens = new TokenBook(new MemoryTokenStore(), { clock: Date.now, hasOtherAdmins: false });
  return { tokens, gate: new Gate({ tokens, jwt: undefined, clock: Date.now }) };
}
