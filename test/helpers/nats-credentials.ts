import { nkeys } from "@nats-io/transport-node";

export interface NatsCredentials {
  /** Lines of a server's configuration, which accepts only these credentials. */
  readonly config: string;
  /** The text of a credentials file. */
  readonly creds: string;
}

/** An operator, an account with JetStream and a user of it, as `nsc` makes them. */
export function makeCredentials(): NatsCredentials {
  const [operator, account, user] = [nkeys.createOperator(), nkeys.createAccount(), nkeys.createUser()];
  const system = nkeys.createAccount();
  const unlimited = { subs: -1, conn: -1, leaf: -1, imports: -1, exports: -1, data: -1, payload: -1, wildcards: true };
  const jetStream = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 };
  const operatorJwt = jwtOf(operator, operator, { type: "operator", version: 2 });
  const limits = { ...unlimited, ...jetStream };
  const accountJwt = jwtOf(account, operator, { type: "account", version: 2, limits });
  const systemJwt = jwtOf(system, operator, { type: "account", version: 2, limits: unlimited });
  const userJwt = jwtOf(user, account, { type: "user", version: 2, subs: -1, data: -1, payload: -1, pub: {}, sub: {} });
  const seed = new TextDecoder().decode(user.getSeed());
  return {
    config: [
      `operator: ${operatorJwt}`,
      `system_account: ${system.getPublicKey()}`,
      "resolver: MEMORY",
      "resolver_preload {",
      `  ${account.getPublicKey()}: ${accountJwt}`,
      `  ${system.getPublicKey()}: ${systemJwt}`,
      "}",
    ].join("\n"),
    creds:
      `-----BEGIN NATS USER JWT-----\n${userJwt}\n------END NATS USER JWT------\n\n` +
      `-----BEGIN USER NKEY SEED-----\n${seed}\n------END USER NKEY SEED------\n`,
  };
}

type Keys = ReturnType<typeof nkeys.createUser>;

function jwtOf(subject: Keys, issuer: Keys, nats: object): string {
  const claims = {
    jti: crypto.randomUUID(),
    iat: Math.floor(Date.now() / 1000),
    iss: issuer.getPublicKey(),
    name: "test",
    sub: subject.getPublicKey(),
    nats,
  };
  const parts = [{ typ: "JWT", alg: "ed25519-nkey" }, claims].map((part) => encoded(JSON.stringify(part))).join(".");
  return `${parts}.${encoded(issuer.sign(new TextEncoder().encode(parts)))}`;
}

function encoded(content: string | Uint8Array): string {
  return Buffer.from(content).toString("base64url");
}
