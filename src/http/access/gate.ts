import { type Access, anybody, type Principal, requireAccess } from "../../bus/access/principal.ts";
import { SECRET_PREFIX } from "../../bus/access/secret.ts";
import type { TokenBook } from "../../bus/access/tokens.ts";
import { BusError } from "../../bus/errors.ts";
import type { ErrorCode } from "../../protocol/problem.ts";
import { secretOf } from "./credentials.ts";
import { Guests } from "./guests.ts";

/** Identifies the sender of a JSON Web Token. Throws, or rejects with, `token_invalid` or `unavailable`. */
export interface JwtVerifier {
  verify(jwt: string): Principal | Promise<Principal>;
}

/** The callers that were admitted. */
export interface Callers {
  /**
   * Throws `token_invalid` or `token_missing` if the caller's permission has ended since it was admitted: a body can
   * take long to arrive, so check again when it has.
   */
  requireValid(caller: Principal): void;
}

export interface GateOptions {
  readonly tokens: TokenBook;
  /** Undefined when there is no key for JSON Web Tokens. */
  readonly jwt: JwtVerifier | undefined;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  /** Called for every request that was not admitted, with the reason. */
  readonly onRefusal?: (reason: ErrorCode) => void;
}

/** Admits callers, before a route is called and before a connection is upgraded. */
export class Gate implements Callers {
  readonly guests: Guests;
  readonly #tokens: TokenBook;
  readonly #jwt: JwtVerifier | undefined;
  readonly #clock: () => number;
  readonly #onRefusal: ((reason: ErrorCode) => void) | undefined;
  readonly #gone = new WeakSet<Principal>();
  #isAnyoneGone = false;

  constructor({ tokens, jwt, clock, onRefusal }: GateOptions) {
    this.#tokens = tokens;
    this.#jwt = jwt;
    this.#clock = clock;
    this.#onRefusal = onRefusal;
    this.guests = new Guests(clock);
    tokens.onGone((gone) => {
      if (gone) this.#gone.add(gone);
      this.#isAnyoneGone = true;
      this.guests.expel(gone ?? anybody);
    });
  }

  /** Everyone may do everything, because there are neither tokens nor keys. */
  get isOpen(): boolean {
    return this.#tokens.isEmpty && this.#jwt === undefined;
  }

  /**
   * Identifies the caller of the request, if it has this kind of access. Throws, or rejects with, `token_missing`,
   * `token_invalid`, `scope_insufficient`, `parameter_invalid` for two tokens, or `unavailable`, also while some
   * tokens are not known yet.
   */
  admit(request: Request, access: Access): Principal | Promise<Principal> {
    if (access === "public" || this.isOpen) return anybody;
    try {
      const found = this.#identify(request);
      if (!(found instanceof Promise)) return this.#enter(found, access);
      return found.then((principal) => this.#enter(principal, access)).catch((error) => this.#refuse(error));
    } catch (error) {
      return this.#refuse(error);
    }
  }

  requireValid(caller: Principal): void {
    if (caller === anybody && !this.isOpen) throw tokenMissing();
    if (this.#isAnyoneGone && this.#gone.has(caller)) throw new BusError("token_invalid", "the token was revoked");
    if (caller.expiresMs === undefined || caller.expiresMs > this.#clock()) return;
    throw new BusError("token_invalid", "the token has expired");
  }

  #refuse(error: unknown): never {
    if (error instanceof BusError) this.#onRefusal?.(error.code);
    throw error;
  }

  #enter(principal: Principal, access: Access): Principal {
    this.requireValid(principal);
    requireAccess(principal, access);
    return principal;
  }

  #identify(request: Request): Principal | Promise<Principal> {
    const secret = secretOf(request);
    if (secret === undefined) throw this.#tokens.isComplete ? tokenMissing() : notKnownYet();
    if (this.#jwt !== undefined && !secret.startsWith(SECRET_PREFIX)) return this.#jwt.verify(secret);
    const principal = this.#tokens.find(secret);
    if (principal) return principal;
    if (!this.#tokens.isComplete) throw notKnownYet();
    throw new BusError("token_invalid", "the token is not known: it may have been revoked");
  }
}

function notKnownYet(): BusError {
  return new BusError(
    "unavailable",
    "this node does not know all tokens of its cluster yet: try again, or another node",
  );
}

function tokenMissing(): BusError {
  return new BusError("token_missing", "send a token: Authorization: Bearer ebt_…");
}
