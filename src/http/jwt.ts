import { createPublicKey, type KeyObject } from "node:crypto";
import { readFileSync } from "node:fs";
import {
  createRemoteJWKSet,
  decodeProtectedHeader,
  errors,
  type JWTPayload,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
  jwtVerify,
} from "jose";
import { BusError } from "../bus/errors.ts";
import type { Principal } from "../bus/principal.ts";
import { type Scope, scopeOf } from "../bus/scope.ts";
import { readFailure } from "../text/read-failure.ts";
import type { JwtVerifier } from "./gate.ts";

/** What says which tokens are accepted. At most one of the two for public keys. */
export interface JwtSettings {
  readonly jwtSecret: string | undefined;
  /** A PEM file. */
  readonly jwtPublicKey: string | undefined;
  readonly jwksUrl: string | undefined;
  /** What `iss` must be; any, or none, when left out. Needs a key. */
  readonly jwtIssuer: string | undefined;
  /** What must be among the `aud`; any, or none, when left out. Needs a key. */
  readonly jwtAudience: string | undefined;
}

export interface JwtOptions {
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  /** Told when keys could not be fetched. */
  readonly onError: (error: unknown) => void;
}

/** RFC 7518, section 3.2: a key of HS256 has at least as many bits as the hash. */
const MIN_SECRET_BYTES = 32;
const MIN_RSA_BITS = 2048;
/** Keys are fetched again when they are older, in milliseconds. */
const MAX_KEY_AGE_MS = 10 * 60 * 1000;
/** A token of a key that is not known fetches the keys anew, but no more often than this, in milliseconds. */
const REFETCH_PAUSE_MS = 1000;
const FETCH_TIMEOUT_MS = 5000;
/** Longer ones are none of ours: 128 patterns fit. */
const MAX_JWT_CHARACTERS = 16_384;
const MAX_PATTERNS = 64;
/** Tokens that are known to be good until they expire; beyond it the memory starts anew. */
const MAX_REMEMBERED = 10_000;

/** A key, or what finds it, and the algorithms that it may be used with and no other. */
interface Verification {
  readonly algorithms: readonly string[];
  readonly key: Uint8Array | KeyObject | JWTVerifyGetKey;
}

/**
 * What accepts JSON Web Tokens, or undefined when none are. Throws `parameter_invalid` for a key that will not do, and for
 * an issuer or an audience without a key.
 */
export function jwtVerifierOf(settings: JwtSettings, options: JwtOptions): JwtVerifier | undefined {
  const { jwtSecret, jwtPublicKey, jwksUrl } = settings;
  if (jwtPublicKey !== undefined && jwksUrl !== undefined) {
    throw new BusError("parameter_invalid", "--jwt-public-key and --jwks-url exclude each other: give at most one");
  }
  const verifications = [
    ...(jwtSecret === undefined ? [] : [withSecret(jwtSecret)]),
    ...(jwtPublicKey === undefined ? [] : [withPublicKey(jwtPublicKey)]),
    ...(jwksUrl === undefined ? [] : [withKeySet(jwksUrl)]),
  ];
  if (verifications.length > 0) return new KeyedVerifier(verifications, requiredClaims(settings), options);
  refuseClaimsWithoutKey(settings);
  return undefined;
}

/** What jose checks of the claims of every token. */
type ClaimChecks = Pick<JWTVerifyOptions, "requiredClaims" | "issuer" | "audience">;

function requiredClaims({ jwtIssuer, jwtAudience }: JwtSettings): ClaimChecks {
  return {
    requiredClaims: ["exp"],
    ...(jwtIssuer === undefined ? {} : { issuer: jwtIssuer }),
    ...(jwtAudience === undefined ? {} : { audience: jwtAudience }),
  };
}

function refuseClaimsWithoutKey({ jwtIssuer, jwtAudience }: JwtSettings): void {
  if (jwtIssuer === undefined && jwtAudience === undefined) return;
  const flag = jwtIssuer === undefined ? "--jwt-audience" : "--jwt-issuer";
  throw new BusError(
    "parameter_invalid",
    `${flag} needs a key for JSON Web Tokens beside it: --jwt-secret, --jwt-public-key or --jwks-url`,
  );
}

class KeyedVerifier implements JwtVerifier {
  readonly #verifications: readonly Verification[];
  readonly #claims: ClaimChecks;
  readonly #options: JwtOptions;
  readonly #known = new Map<string, Principal>();

  constructor(verifications: readonly Verification[], claims: ClaimChecks, options: JwtOptions) {
    this.#verifications = verifications;
    this.#claims = claims;
    this.#options = options;
  }

  verify(jwt: string): Principal | Promise<Principal> {
    return this.#known.get(jwt) ?? this.#verifyNew(jwt);
  }

  async #verifyNew(jwt: string): Promise<Principal> {
    const { algorithms, key } = this.#verificationOf(jwt);
    try {
      const options = {
        ...this.#claims,
        algorithms: [...algorithms],
        currentDate: new Date(this.#options.clock()),
      };
      const { payload } = await (typeof key === "function"
        ? verifyBySet(jwt, key, options)
        : jwtVerify(jwt, key, options));
      return this.#remember(jwt, principalOf(jwt, payload));
    } catch (error) {
      throw this.#refusalOf(error);
    }
  }

  #verificationOf(jwt: string): Verification {
    const algorithm = jwt.length <= MAX_JWT_CHARACTERS ? algorithmOf(jwt) : undefined;
    const found = this.#verifications.find(({ algorithms }) => algorithms.includes(algorithm ?? ""));
    if (found) return found;
    throw invalid("the token is neither one of this server nor a JSON Web Token that it has a key for");
  }

  #remember(jwt: string, principal: Principal): Principal {
    if (this.#known.size >= MAX_REMEMBERED) this.#known.clear();
    // Two requests may have brought it at the same time: who asks must be one and the same.
    const known = this.#known.get(jwt) ?? principal;
    this.#known.set(jwt, known);
    return known;
  }

  #refusalOf(error: unknown): BusError {
    if (error instanceof BusError) return error;
    if (error instanceof errors.JWTExpired) return invalid("the token has expired");
    if (error instanceof errors.JWTClaimValidationFailed) return claimInvalid(error);
    if (error instanceof errors.JOSEError && !isUnreachable(error)) {
      return invalid("the token does not hold: its form, its signature or its key is not valid");
    }
    this.#options.onError(error);
    return new BusError("unavailable", "the keys of tokens cannot be had now: try again later", { cause: error });
  }
}

/** Only the claim's name: what it should be is for who makes tokens to know. Signatures are checked before claims. */
function claimInvalid({ claim, reason }: errors.JWTClaimValidationFailed): BusError {
  return invalid(`the claim ${claim} of the token is ${reason === "missing" ? "missing" : "not what it must be"}`);
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

/** The set of keys was not answered, or not with one. */
function isUnreachable(error: errors.JOSEError): boolean {
  return (
    error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid || error.code === "ERR_JOSE_GENERIC"
  );
}

function withSecret(secret: string): Verification {
  const key = new TextEncoder().encode(secret);
  if (key.length >= MIN_SECRET_BYTES) return { algorithms: ["HS256"], key };
  throw new BusError("parameter_invalid", `--jwt-secret must have ${MIN_SECRET_BYTES} bytes or more (RFC 7518)`);
}

function withPublicKey(path: string): Verification {
  const key = readPublicKey(path);
  const { modulusLength = 0, namedCurve } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === "rsa" && modulusLength >= MIN_RSA_BITS) return { algorithms: ["RS256"], key };
  if (key.asymmetricKeyType === "ec" && namedCurve === "prime256v1") return { algorithms: ["ES256"], key };
  if (key.asymmetricKeyType === "ed25519") return { algorithms: ["EdDSA"], key };
  throw keyInvalid(path, `its key is none of RSA with ${MIN_RSA_BITS} bits or more, EC P-256 or Ed25519`);
}

function readPublicKey(path: string): KeyObject {
  let pem: string;
  try {
    pem = readFileSync(path, "utf8");
  } catch (error) {
    throw keyInvalid(path, `it cannot be read: ${readFailure(error)}`, error);
  }
  if (pem.includes("PRIVATE KEY"))
    throw keyInvalid(path, "it holds a private key, which must stay where tokens are made");
  try {
    return createPublicKey(pem);
  } catch (error) {
    throw keyInvalid(path, "it holds no public key as PEM", error);
  }
}

function keyInvalid(path: string, why: string, cause?: unknown): BusError {
  return new BusError("parameter_invalid", `--jwt-public-key ${path}: ${why}`, { cause });
}

function withKeySet(url: string): Verification {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new BusError("parameter_invalid", "--jwks-url must be an address that starts with https:// or http://");
  }
  const key = createRemoteJWKSet(new URL(url), {
    cacheMaxAge: MAX_KEY_AGE_MS,
    cooldownDuration: REFETCH_PAUSE_MS,
    timeoutDuration: FETCH_TIMEOUT_MS,
  });
  return { algorithms: ["RS256", "ES256", "EdDSA"], key };
}

/** Who the claims make of the bearer. Without a subject each token stands for itself. */
function principalOf(jwt: string, { iss = "", sub, exp = 0, eventbus }: JWTPayload): Principal {
  const claim = typeof eventbus === "object" && eventbus !== null && !Array.isArray(eventbus) ? eventbus : undefined;
  if (claim === undefined) throw invalid('the token needs a claim "eventbus":{"publish":[…],"subscribe":[…]}');
  const { publish, subscribe, admin = false, ...rest } = claim as Record<string, unknown>;
  if (typeof admin !== "boolean") throw invalid("eventbus.admin in the token must be true or false");
  if (Object.keys(rest).length > 0) throw invalid("eventbus in the token knows publish, subscribe and admin only");
  const who = sub === undefined ? jwt : JSON.stringify([iss, sub]);
  return {
    name: `jwt ${Bun.CryptoHasher.hash("sha256", who, "hex")}`,
    publish: claimedScope("publish", publish),
    subscribe: claimedScope("subscribe", subscribe),
    isAdmin: admin,
    expiresMs: exp * 1000,
  };
}

function claimedScope(name: string, value: unknown = []): Scope {
  if (!Array.isArray(value) || value.length > MAX_PATTERNS || !value.every((one) => typeof one === "string")) {
    throw invalid(`eventbus.${name} in the token must be an array of at most ${MAX_PATTERNS} patterns`);
  }
  try {
    return scopeOf(value);
  } catch (error) {
    throw new BusError("token_invalid", `eventbus.${name} in the token holds a malformed pattern`, { cause: error });
  }
}

function invalid(detail: string): BusError {
  return new BusError("token_invalid", detail);
}
