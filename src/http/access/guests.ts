import type { Principal } from "../../bus/access/principal.ts";

/** A long-lived connection, with the permission it was admitted with. */
export interface Guest {
  /** The permission has ended: close, and accept nothing more. */
  expel(): void;
}

/** The open connections by permission, so that none outlives its permission. */
export class Guests {
  readonly #clock: () => number;
  readonly #byPrincipal = new Map<Principal, Set<Guest>>();

  /** `clock` returns milliseconds since 1970. */
  constructor(clock: () => number) {
    this.#clock = clock;
  }

  add(principal: Principal, guest: Guest): void {
    const guests = this.#byPrincipal.get(principal) ?? new Set();
    this.#byPrincipal.set(principal, guests.add(guest));
  }

  delete(principal: Principal, guest: Guest): void {
    const guests = this.#byPrincipal.get(principal);
    guests?.delete(guest);
    if (guests?.size === 0) this.#byPrincipal.delete(principal);
  }

  /** Closes every connection of a revoked permission. */
  expel(principal: Principal): void {
    for (const guest of [...(this.#byPrincipal.get(principal) ?? [])]) guest.expel();
  }

  /** Closes every connection whose permission has expired by now. */
  expelExpired(): void {
    const nowMs = this.#clock();
    for (const principal of this.#byPrincipal.keys()) {
      if (principal.expiresMs !== undefined && principal.expiresMs <= nowMs) this.expel(principal);
    }
  }
}
