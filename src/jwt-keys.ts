import { createPublicKey, type KeyObject } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRemoteJWKSet, customFetch } from "jose";
import { BusError } from "./bus/errors.ts";
import type { Verification } from "./http/access/jwt.ts";
import { outboundFetch } from "./proxy.ts";
import { readFailure } from "./text/read-failure.ts";

/** The settings for JSON Web Tokens. At most one of the two for public keys may be given. */
export interface JwtSettings {
  readonly jwtSecret: string | undefined;
  /** A PEM file. */
  readonly jwtPublicKey: string | undefined;
  readonly jwksUrl: string | undefined;
  /** The required `iss`; omitted: any, or none. Needs a key. */
  readonly jwtIssuer: string | undefined;
  /** A required member of `aud`; omitted: any, or none. Needs a key. */
  readonly jwtAudience: string | undefined;
}

/** RFC 7518, section 3.2: a key of HS256 has at least as many bits as the hash. */
const MIN_SECRET_BYTES = 32;
const MIN_RSA_BITS = 2048;
/** Keys are fetched again when they are older, in milliseconds. */
const MAX_KEY_AGE_MS = 10 * 60 * 1000;
/** A token with an unknown key causes the keys to be fetched again, but no more often than this, in milliseconds. */
const REFETCH_PAUSE_MS = 1000;
const FETCH_TIMEOUT_MS = 5000;

/**
 * The keys that the settings name; empty if no JSON Web Token should be accepted. Reads files.
 *
 * Throws `parameter_invalid` for a key that cannot be used, and for an issuer or an audience without a key.
 */
export function jwtKeysOf(settings: JwtSettings): readonly Verification[] {
  const { jwtSecret, jwtPublicKey, jwksUrl } = settings;
  if (jwtPublicKey !== undefined && jwksUrl !== undefined) {
    throw invalid("--jwt-public-key and --jwks-url are mutually exclusive: give at most one");
  }
  const keys = [
    ...(jwtSecret === undefined ? [] : [withSecret(jwtSecret)]),
    ...(jwtPublicKey === undefined ? [] : [withPublicKey(jwtPublicKey)]),
    ...(jwksUrl === undefined ? [] : [withKeySet(jwksUrl)]),
  ];
  if (keys.length === 0) refuseClaims(settings);
  return keys;
}

function refuseClaims({ jwtIssuer, jwtAudience }: JwtSettings): void {
  if (jwtIssuer === undefined && jwtAudience === undefined) return;
  const flag = jwtIssuer === undefined ? "--jwt-audience" : "--jwt-issuer";
  throw invalid(`${flag} needs a key for JSON Web Tokens: --jwt-secret, --jwt-public-key or --jwks-url`);
}

function withSecret(secret: string): Verification {
  const key = new TextEncoder().encode(secret);
  if (key.length >= MIN_SECRET_BYTES) return { algorithms: ["HS256"], key };
  throw invalid(`--jwt-secret must have ${MIN_SECRET_BYTES} bytes or more (RFC 7518)`);
}

function withPublicKey(path: string): Verification {
  const key = readPublicKey(path);
  const { modulusLength = 0, namedCurve } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === "rsa" && modulusLength >= MIN_RSA_BITS) return { algorithms: ["RS256"], key };
  if (key.asymmetricKeyType === "ec" && namedCurve === "prime256v1") return { algorithms: ["ES256"], key };
  if (key.asymmetricKeyType === "ed25519") return { algorithms: ["EdDSA"], key };
  throw fileInvalid(path, `its key must be RSA with at least ${MIN_RSA_BITS} bits, EC P-256 or Ed25519`);
}

function readPublicKey(path: string): KeyObject {
  let pem: string;
  try {
    pem = readFileSync(path, "utf8");
  } catch (error) {
    throw fileInvalid(path, `it cannot be read: ${readFailure(error)}`, error);
  }
  if (pem.includes("PRIVATE KEY")) {
    throw fileInvalid(path, "it contains a private key, which must stay where tokens are issued");
  }
  try {
    return createPublicKey(pem);
  } catch (error) {
    throw fileInvalid(path, "it contains no public key in PEM", error);
  }
}

function withKeySet(url: string): Verification {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw invalid("--jwks-url must be an address that starts with https:// or http://");
  }
  const key = createRemoteJWKSet(new URL(url), {
    cacheMaxAge: MAX_KEY_AGE_MS,
    cooldownDuration: REFETCH_PAUSE_MS,
    timeoutDuration: FETCH_TIMEOUT_MS,
    [customFetch]: outboundFetch,
  });
  return { algorithms: ["RS256", "ES256", "EdDSA"], key };
}

function fileInvalid(path: string, why: string, cause?: unknown): BusError {
  return invalid(`--jwt-public-key ${path}: ${why}`, cause);
}

function invalid(detail: string, cause?: unknown): BusError {
  return new BusError("parameter_invalid", detail, { cause });
}
