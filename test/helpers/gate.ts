import type { TokenChange, TokenRecord, TokenStore } from "../../src/bus/access/token-record.ts";
import { TokenBook } from "../../src/bus/access/tokens.ts";
import { Gate } from "../../src/http/access/gate.ts";

/** Tokens that are kept in memory. */
class MemoryTokenStore implements TokenStore {
  readonly #records = new Map<string, TokenRecord>();
  readonly #listeners: ((change: TokenChange) => void)[] = [];
  isUsed = false;

  all(): readonly TokenRecord[] {
    return [...this.#records.values()];
  }

  onChange(listener: (change: TokenChange) => void): void {
    this.#listeners.push(listener);
  }

  async add(record: TokenRecord): Promise<boolean> {
    if (this.#records.has(record.name)) return false;
    this.#records.set(record.name, record);
    this.isUsed = true;
    for (const listener of this.#listeners) listener({ added: record });
    return true;
  }

  async remove(name: string): Promise<boolean> {
    if (!this.#records.delete(name)) return false;
    for (const listener of this.#listeners) listener({ removed: name });
    return true;
  }
}

/** A gate that is open until a token is made, and its tokens. */
export function openGate(): { gate: Gate; tokens: TokenBook } {
  const tokens = new TokenBook(new MemoryTokenStore(), { clock: Date.now, hasOtherAdmins: false });
  return { tokens, gate: new Gate({ tokens, jwt: undefined, clock: Date.now }) };
}
