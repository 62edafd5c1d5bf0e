import type { KeyObject } from "node:crypto";
import {
  base64url,
  decodeProtectedHeader,
  errors,
  type JWTPayload,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
  jwtVerify,
} from "jose";
import { type Principal, principalOf } from "../../bus/access/principal.ts";
import { RecentMap } from "../../bus/access/recent-map.ts";
import { scopeOf } from "../../bus/access/scope.ts";
import { MAX_TOKEN_PATTERNS } from "../../bus/access/tokens.ts";
import { BusError } from "../../bus/errors.ts";
import type { JwtVerifier } from "./gate.ts";

export interface JwtOptions {
  readonly verifications: readonly Verification[];
  /** The required `iss`; omitted: any, or none. */
  readonly issuer?: string | undefined;
  /** A required member of `aud`; omitted: any, or none. */
  readonly audience?: string | undefined;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  /** Called when the signing keys could not be fetched. */
  readonly onError: (error: unknown) => void;
}

/** Clocks of two machines differ by a few seconds: a token that is not valid yet, or has just expired, is accepted. */
const CLOCK_TOLERANCE_SECONDS = 5;
/** Longer tokens are rejected: 128 patterns fit. */
const MAX_JWT_CHARACTERS = 16_384;
/** Verified tokens, remembered until they expire: 10,000 subscribers and as many publishers take some 30 MB. */
const MAX_REMEMBERED = 20_000;

/** A key, or the function that finds it, and the only algorithms that it may be used with. */
export interface Verification {
  readonly algorithms: readonly string[];
  readonly key: Uint8Array | KeyObject | JWTVerifyGetKey;
}

/** Accepts the JSON Web Tokens of some keys. */
export class KeyedVerifier implements JwtVerifier {
  readonly #verifications: readonly Verification[];
  readonly #expected: Pick<JWTVerifyOptions, "issuer" | "audience">;
  readonly #clock: () => number;
  readonly #onError: (error: unknown) => void;
  readonly #known = new RecentMap<string, Principal>(MAX_REMEMBERED);

  constructor({ verifications, issuer, audience, clock, onError }: JwtOptions) {
    this.#verifications = verifications;
    this.#expected = { ...(issuer !== undefined && { issuer }), ...(audience !== undefined && { audience }) };
    this.#clock = clock;
    this.#onError = onError;
  }

  verify(jwt: string): Principal | Promise<Principal> {
    return this.#known.get(jwt) ?? this.#verifyNew(jwt);
  }

  async #verifyNew(jwt: string): Promise<Principal> {
    const { algorithms, key } = this.#verificationOf(jwt);
    try {
      const options: JWTVerifyOptions = {
        ...this.#expected,
        requiredClaims: ["exp"],
        algorithms: [...algorithms],
        currentDate: new Date(this.#clock()),
        clockTolerance: CLOCK_TOLERANCE_SECONDS,
      };
      const { payload } = await (typeof key === "function"
        ? verifyBySet(jwt, key, options)
        : jwtVerify(jwt, key, options));
      return this.#remember(jwt, bearerOf(jwt, payload));
    } catch (error) {
      throw this.#refusalOf(error);
    }
  }

  #verificationOf(jwt: string): Verification {
    const algorithm = jwt.length <= MAX_JWT_CHARACTERS ? algorithmOf(jwt) : undefined;
    const found = this.#verifications.find(({ algorithms }) => algorithms.includes(algorithm ?? ""));
    if (found) return found;
    throw invalid("the token is neither one of this server's nor a JSON Web Token that it has a key for");
  }

  #remember(jwt: string, principal: Principal): Principal {
    // Two requests may bring it at the same time: both must get the same principal.
    const known = this.#known.get(jwt) ?? principal;
    this.#known.set(jwt, known);
    return known;
  }

  #refusalOf(error: unknown): BusError {
    if (error instanceof BusError) return error;
    if (error instanceof errors.JWTExpired) return invalid("the token has expired");
    if (error instanceof errors.JWTClaimValidationFailed) return claimInvalid(error);
    if (error instanceof errors.JOSEError && !isUnreachable(error)) {
      return invalid("the token is invalid: its form, its signature or its key is not accepted");
    }
    this.#onError(error);
    return new BusError("unavailable", "the signing keys could not be fetched: try again later", { cause: error });
  }
}

/** Names the claim only, not what it should be. Signatures are checked before claims. */
function claimInvalid({ claim, reason }: errors.JWTClaimValidationFailed): BusError {
  if (claim === "nbf" && reason === "check_failed") {
    return invalid("the token is not valid yet: its nbf is ahead of this server's clock");
  }
  return invalid(
    `the claim ${claim} of the token ${reason === "missing" ? "is missing" : "does not have the required value"}`,
  );
}

/** Tokens without a key id may be of any key of the set. */
async function verifyBySet(jwt: string, key: JWTVerifyGetKey, options: JWTVerifyOptions) {
  try {
    return await jwtVerify(jwt, key, options);
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
    for await (const one of error) {
      try {
        return await jwtVerify(jwt, one, options);
      } catch (failure) {
        if (!(failure instanceof errors.JWSSignatureVerificationFailed)) throw failure;
      }
    }
    throw new errors.JWSSignatureVerificationFailed();
  }
}

function algorithmOf(jwt: string): string | undefined {
  try {
    return decodeProtectedHeader(jwt).alg;
  } catch {
    return undefined;
  }
}

/** The key set could not be fetched, or is not one. */
function isUnreachable(error: errors.JOSEError): boolean {
  return (
    error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid || error.code === "ERR_JOSE_GENERIC"
  );
}

/**
 * The principal that the claims describe. Without a subject, tokens with the same claims are one principal. Their bytes
 * may still differ, as base64url and signatures can be written in several ways.
 */
function bearerOf(jwt: string, { iss = "", sub, exp = 0, eventbus }: JWTPayload): Principal {
  const claim = typeof eventbus === "object" && eventbus !== null && !Array.isArray(eventbus) ? eventbus : undefined;
  if (claim === undefined) throw invalid('the token needs a claim "eventbus":{"publish":[…],"subscribe":[…]}');
  const { publish, subscribe, consume, admin, monitor, ...rest } = claim as Record<string, unknown>;
  if (Object.keys(rest).length > 0)
    throw invalid("eventbus in the token may contain only publish, subscribe, consume, admin and monitor");
  const grants = {
    publish: claimedPatterns("publish", publish),
    subscribe: claimedPatterns("subscribe", subscribe),
    consume: claimedPatterns("consume", consume),
    isAdmin: claimedSwitch("admin", admin),
    isMonitor: claimedSwitch("monitor", monitor),
  };
  const who = sub === undefined ? claimsOf(jwt) : JSON.stringify([iss, sub]);
  const name = `jwt ${Bun.CryptoHasher.hash("sha256", who, "hex")}`;
  return principalOf(name, grants, (exp + CLOCK_TOLERANCE_SECONDS) * 1000);
}

/** The claims of a verified token, decoded. */
function claimsOf(jwt: string): Uint8Array {
  return base64url.decode(jwt.split(".")[1] ?? "");
}

function claimedSwitch(name: string, value: unknown = false): boolean {
  if (typeof value === "boolean") return value;
  throw invalid(`eventbus.${name} in the token must be true or false`);
}

function claimedPatterns(name: string, value: unknown = []): readonly string[] {
  if (!Array.isArray(value) || value.length > MAX_TOKEN_PATTERNS || !value.every((one) => typeof one === "string")) {
    throw invalid(`eventbus.${name} in the token must be an array of at most ${MAX_TOKEN_PATTERNS} patterns`);
  }
  try {
    scopeOf(value);
  } catch (error) {
    throw new BusError("token_invalid", `eventbus.${name} in the token contains a malformed pattern`, { cause: error });
  }
  return value;
}

function invalid(detail: string): BusError {
  return new BusError("token_invalid", detail);
}
