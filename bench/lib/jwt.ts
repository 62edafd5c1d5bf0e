import { createHmac } from "node:crypto";

const LIFETIME_SECONDS = 3600;

/** What a JSON Web Token for the program allows: patterns of topics. */
export interface Claim {
  readonly publish?: readonly string[];
  readonly subscribe?: readonly string[];
  readonly admin?: boolean;
}

/** Makes tokens (HS256) of one secret, which the program takes with `--jwt-secret`. */
export class TokenMaker {
  readonly secret = crypto.randomUUID();

  make(claim: Claim): string {
    const exp = Math.floor(Date.now() / 1000) + LIFETIME_SECONDS;
    const signed = `${encode({ alg: "HS256", typ: "JWT" })}.${encode({ sub: "bench", exp, eventbus: claim })}`;
    return `${signed}.${createHmac("sha256", this.secret).update(signed).digest("base64url")}`;
  }
}

function encode(json: object): string {
  return Buffer.from(JSON.stringify(json)).toString("base64url");
}
