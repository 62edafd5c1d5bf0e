import { TokenBook, type TokenRecord, type TokenStore } from "../../src/bus/access/tokens.ts";
import { Gate } from "../../src/http/access/gate.ts";

/** Tokens that are kept in memory. */
class MemoryTokenStore implements TokenStore {
  readonly #records = new Map<string, TokenRecord>();
  isUsed = false;

  all(): readonly TokenRecord[] {
    return [...this.#records.values()];
  }

  async add(record: TokenRecord): Promise<void> {
    this.#records.set(record.name, record);
    this.isUsed = true;
  }

  async remove(name: string): Promise<boolean> {
    return this.#records.delete(name);
  }
}

/** A gate that is open until a token is made, and its tokens. */
export function openGate(): { gate: Gate; tokens: TokenBook } {
  const tokens = new TokenBook(new MemoryTokenStore(), { clock: Date.now, hasOtherAdmins: false });
  return { tokens, gate: new Gate({ tokens, jwt: undefined, clock: Date.now }) };
}
