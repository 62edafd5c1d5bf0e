import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { exportJWK, exportSPKI, generateKeyPair, SignJWT } from "jose";
import { Binary, runBinary } from "../helpers/binary.ts";
import { expectOk, expectProblem } from "../helpers/http.ts";
import { TestSocket } from "../helpers/socket.ts";
import { TempFolder } from "../helpers/temp.ts";

const SECRET = "0123456789abcdef0123456789abcdef";
const claim = { publish: ["a.*"], subscribe: ["a.*"], admin: false, monitor: false };

type SigningKey = Parameters<SignJWT["sign"]>[0];

interface Asked {
  readonly alg: string;
  readonly key: SigningKey;
  readonly kid?: string;
  readonly claims?: Record<string, unknown>;
  readonly seconds?: number;
}

function sign({ alg, key, kid, claims = { eventbus: claim }, seconds = 60 }: Asked): Promise<string> {
  const header = kid === undefined ? { alg } : { alg, kid };
  const jwt = new SignJWT(claims).setProtectedHeader(header).setSubject("somebody");
  return jwt.setExpirationTime(Math.floor(Date.now() / 1000) + seconds).sign(key);
}

function ask(url: string, jwt: string, path = "/api/events/history"): Promise<Response> {
  return fetch(`${url}${path}`, { headers: { Authorization: `Bearer ${jwt}` } });
}

function publish(url: string, jwt: string, topic: string): Promise<Response> {
  const init = { method: "POST", headers: { Authorization: `Bearer ${jwt}` }, body: JSON.stringify({ topic }) };
  return fetch(`${url}/api/events/publish`, init);
}

/** Why the token is refused. */
async function refusal(url: string, jwt: string): Promise<string> {
  return (await expectProblem(await ask(url, jwt), "token_invalid")).detail;
}

const unsigned = (claims: object) =>
  `${[{ alg: "none" }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".")}.`;

/** The same token, its signature written with other unused bits at the end. */
function otherSpellingsOf(jwt: string): string[] {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const last = alphabet.indexOf(jwt.at(-1) ?? "");
  const sameBits = [0, 1, 2, 3].map((unused) => alphabet[(last & ~3) | unused] ?? "");
  return sameBits.map((character) => jwt.slice(0, -1) + character).filter((spelling) => spelling !== jwt);
}

describe("a JSON Web Token of a shared secret", () => {
  const key = new TextEncoder().encode(SECRET);
  let binary: Binary;
  beforeAll(async () => {
    binary = await Binary.start({ env: { EVENTBUS_JWT_SECRET: SECRET } });
  });
  afterAll(() => binary[Symbol.asyncDispose]());

  test("may do what its claim says, and nothing else is open", async () => {
    const jwt = await sign({ alg: "HS256", key });
    await expectOk(await publish(binary.url, jwt, "a.x"));
    await expectProblem(await publish(binary.url, jwt, "b.x"), "scope_insufficient");
    await expectOk(await ask(binary.url, jwt));
    await expectProblem(await ask(binary.url, jwt, "/api/stats"), "scope_insufficient");
    await expectProblem(await fetch(`${binary.url}/api/events/history`), "token_missing");
    const admin = await sign({ alg: "HS256", key, claims: { eventbus: { admin: true } } });
    await expectOk(await ask(binary.url, admin, "/api/stats"));
    await expectOk(await ask(binary.url, admin));
    await expectOk(await publish(binary.url, admin, "b.x"));
    const monitor = await sign({ alg: "HS256", key, claims: { eventbus: { monitor: true } } });
    await expectOk(await ask(binary.url, monitor, "/api/stats"));
    await expectProblem(await ask(binary.url, monitor), "scope_insufficient");
    expect(binary.stderr).not.toContain(SECRET);
  });

  test("closes its connections when it expires", async () => {
    // It expired three seconds ago; clocks that differ get five seconds of leeway.
    const jwt = await sign({ alg: "HS256", key, seconds: -3 });
    using socket = await TestSocket.open(binary.url, `access_token=${jwt}`);
    const stream = await ask(binary.url, jwt, "/api/events/stream");
    expect(await socket.closed).toMatchObject({ code: 1008 });
    await stream.text();
    await expectProblem(await ask(binary.url, jwt), "token_invalid");
  });

  test("is rejected when anything about it is not as it must be", async () => {
    const other = new TextEncoder().encode(SECRET.replace("0", "1"));
    const wrong = [
      await sign({ alg: "HS256", key: other }),
      await sign({ alg: "HS256", key, seconds: -10 }),
      await sign({ alg: "HS256", key, claims: {} }),
      await sign({ alg: "HS256", key, claims: { eventbus: "*" } }),
      await sign({ alg: "HS256", key, claims: { eventbus: { publish: "*" } } }),
      await sign({ alg: "HS256", key, claims: { eventbus: { publish: ["["] } } }),
      await sign({ alg: "HS256", key, claims: { eventbus: { ...claim, admin: "yes" } } }),
      await sign({ alg: "HS256", key, claims: { eventbus: { ...claim, monitor: null } } }),
      await sign({ alg: "HS256", key, claims: { eventbus: { ...claim, publsih: ["*"] } } }),
      "a.b.c",
      "x".repeat(9000),
    ];
    for (const jwt of wrong) await expectProblem(await ask(binary.url, jwt), "token_invalid");
  });

  test("is rejected for an algorithm that is not the secret's, whatever it is signed with", async () => {
    const { privateKey } = await generateKeyPair("RS256");
    const wrong = [
      unsigned({ eventbus: { admin: true }, exp: 4_000_000_000 }),
      await sign({ alg: "RS256", key: privateKey }),
      await sign({ alg: "HS512", key: new TextEncoder().encode(SECRET + SECRET) }),
    ];
    const why = "the token is neither one of this server's nor a JSON Web Token that it has a key for";
    for (const jwt of wrong) expect(await refusal(binary.url, jwt)).toBe(why);
  });

  test("is one publisher without a subject, however its bytes are spelled", async () => {
    const unnamed = { eventbus: claim, exp: Math.floor(Date.now() / 1000) + 60 };
    const jwt = await new SignJWT(unnamed).setProtectedHeader({ alg: "HS256" }).sign(key);
    const init = { method: "POST", body: '{"topic":"a.x"}' };
    const replayed = await Promise.all(
      [jwt, ...otherSpellingsOf(jwt)].map(async (spelling) => {
        const headers = { Authorization: `Bearer ${spelling}`, "Idempotency-Key": "once" };
        const response = await fetch(`${binary.url}/api/events/publish`, { ...init, headers });
        expect(response.status).toBe(200);
        return response.headers.get("Idempotency-Replayed");
      }),
    );
    expect(replayed.toSorted()).toEqual([null, ...Array(replayed.length - 1).fill("true")].toSorted());
  });

  test("is rejected without exp, and before its nbf, with the claim named", async () => {
    const noExpiry = await new SignJWT({ eventbus: claim }).setProtectedHeader({ alg: "HS256" }).sign(key);
    expect(await refusal(binary.url, noExpiry)).toBe("the claim exp of the token is missing");
    const inOneHour = Math.floor(Date.now() / 1000) + 3600;
    const early = await sign({ alg: "HS256", key, claims: { eventbus: claim, nbf: inOneHour }, seconds: 7200 });
    expect(await refusal(binary.url, early)).toStartWith("the token is not valid yet");
    const inThreeSeconds = Math.floor(Date.now() / 1000) + 3;
    const ahead = await sign({ alg: "HS256", key, claims: { eventbus: claim, nbf: inThreeSeconds } });
    await expectOk(await ask(binary.url, ahead));
    await expectOk(await ask(binary.url, await sign({ alg: "HS256", key, claims: { eventbus: claim, nbf: 1 } })));
  });

  test("may be of any issuer and for any audience as long as none is asked for", async () => {
    const claims = { eventbus: claim, iss: "https://issuer.example", aud: ["other"] };
    await expectOk(await ask(binary.url, await sign({ alg: "HS256", key, claims })));
    expect(binary.stderr).not.toContain("--jwt-audience");
  });
});

describe("a JSON Web Token of a public key", () => {
  let folder: TempFolder;
  beforeAll(() => {
    folder = new TempFolder();
  });
  afterAll(() => folder[Symbol.dispose]());

  test.each(["RS256", "ES256", "EdDSA"])("%s is accepted, and no other algorithm with the key", async (alg) => {
    const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
    const pem = await exportSPKI(publicKey);
    const file = folder.file(`${alg}.pem`);
    writeFileSync(file, pem);
    await using binary = await Binary.start({ args: ["--jwt-public-key", file] });
    await expectOk(await ask(binary.url, await sign({ alg, key: privateKey })));
    const stranger = await generateKeyPair(alg);
    await expectProblem(await ask(binary.url, await sign({ alg, key: stranger.privateKey })), "token_invalid");
    const confused = await sign({ alg: "HS256", key: new TextEncoder().encode(pem) });
    await expectProblem(await ask(binary.url, confused), "token_invalid");
    await expectProblem(await ask(binary.url, unsigned({ eventbus: claim, exp: 4_000_000_000 })), "token_invalid");
  });

  test("an unusable key is rejected at the start", async () => {
    const file = folder.file("no-key.pem");
    writeFileSync(file, "not a key");
    const wrong = [
      ["--jwt-secret", "short"],
      ["--jwt-public-key", file],
      ["--jwt-public-key", folder.file("missing.pem")],
      ["--jwks-url", "ftp://example.com"],
      ["--jwks-url", "http://example.com", "--jwt-public-key", file],
      ["--jwt-secret", SECRET, "--jwt-issuer", ""],
      ["--jwt-secret", SECRET, "--jwt-audience", "one", "--jwt-audience", "two"],
    ];
    for (const args of wrong) {
      const { exitCode, stderr } = await runBinary(["--port", "0", ...args]);
      expect({ args, exitCode }).toEqual({ args, exitCode: 2 });
      expect(stderr).toMatch(/^eventbus: --j[^\n]+\n$/);
    }
  });
});

describe("a JSON Web Token where an issuer and an audience are asked for", () => {
  const key = new TextEncoder().encode(SECRET);
  const issuer = "https://issuer.example";
  const signed = (claims: object) => sign({ alg: "HS256", key, claims: { eventbus: claim, ...claims } });
  let binary: Binary;
  beforeAll(async () => {
    const env = { EVENTBUS_JWT_SECRET: SECRET, EVENTBUS_JWT_ISSUER: issuer, EVENTBUS_JWT_AUDIENCE: "bus" };
    binary = await Binary.start({ env });
  });
  afterAll(() => binary[Symbol.asyncDispose]());

  test.each([["bus"], [["bus"]], [["other", "bus"]]])("is accepted with both, and aud %j", async (aud) => {
    await expectOk(await ask(binary.url, await signed({ iss: issuer, aud })));
  });

  test.each([
    ["iss", "is missing", { aud: "bus" }],
    ["iss", "does not have the required value", { aud: "bus", iss: `${issuer}/` }],
    ["iss", "does not have the required value", { aud: "bus", iss: [issuer] }],
    ["aud", "is missing", { iss: issuer }],
    ["aud", "does not have the required value", { iss: issuer, aud: "BUS" }],
    ["aud", "does not have the required value", { iss: issuer, aud: [] }],
    ["aud", "does not have the required value", { iss: issuer, aud: ["bus-2", "other"] }],
  ])("is refused with %s %s: %j", async (name, why, claims) => {
    expect(await refusal(binary.url, await signed(claims))).toBe(`the claim ${name} of the token ${why}`);
  });

  test("reveals nothing of its claims when its signature is wrong", async () => {
    const other = new TextEncoder().encode(SECRET.replace("0", "1"));
    const forged = await sign({ alg: "HS256", key: other, claims: { eventbus: claim, iss: "other" } });
    expect(await refusal(binary.url, forged)).toBe(
      "the token is invalid: its form, its signature or its key is not accepted",
    );
  });

  test.each(["--jwt-issuer", "--jwt-audience"])("%s is rejected at the start without a key", async (flag) => {
    const { exitCode, stderr } = await runBinary(["--port", "0", flag, "bus"]);
    const keys = "--jwt-secret, --jwt-public-key or --jwks-url";
    const said = `eventbus: ${flag} needs a key for JSON Web Tokens: ${keys}\n`;
    expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: said });
  });
});

describe("a JSON Web Token of a set of keys", () => {
  test("is checked by keys that are kept, fetched again when replaced, and awaited when unavailable", async () => {
    const first = await generateKeyPair("ES256");
    const second = await generateKeyPair("EdDSA");
    let keys: object[] = [{ ...(await exportJWK(first.publicKey)), kid: "1" }];
    let fetches = 0;
    let isAway = true;
    using server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: () => {
        fetches++;
        return isAway ? new Response("away", { status: 500 }) : Response.json({ keys });
      },
    });
    await using binary = await Binary.start({ args: ["--jwks-url", `${server.url}keys`] });
    const one = await sign({ alg: "ES256", key: first.privateKey, kid: "1" });
    await expectProblem(await ask(binary.url, one), "unavailable");
    isAway = false;
    await expectOk(await ask(binary.url, one));
    const before = fetches;
    await expectOk(await ask(binary.url, await sign({ alg: "ES256", key: first.privateKey, kid: "1", seconds: 90 })));
    expect(fetches).toBe(before);
    keys = [{ ...(await exportJWK(second.publicKey)), kid: "2" }];
    const two = await sign({ alg: "EdDSA", key: second.privateKey, kid: "2" });
    // The keys are not fetched again within a second.
    let answer = await ask(binary.url, two);
    while (answer.status === 401) answer = await ask(binary.url, two);
    await expectOk(answer);
    const old = await sign({ alg: "ES256", key: first.privateKey, kid: "1", seconds: 120 });
    await expectProblem(await ask(binary.url, old), "token_invalid");
    const confused = await sign({ alg: "HS256", key: new TextEncoder().encode(JSON.stringify(keys[0])), kid: "2" });
    await expectProblem(await ask(binary.url, confused), "token_invalid");
  });

  test("must be for the audience, and without one a warning says whose tokens are accepted", async () => {
    const { publicKey, privateKey } = await generateKeyPair("ES256");
    // Without key ids each of the two is tried.
    const keys = [await exportJWK((await generateKeyPair("ES256")).publicKey), await exportJWK(publicKey)];
    using server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => Response.json({ keys }) });
    const forOther = await sign({ alg: "ES256", key: privateKey, claims: { eventbus: claim, aud: "other" } });
    const args = ["--jwks-url", `${server.url}keys`];
    const warning = "--jwks-url without --jwt-audience: any token of that authority with an eventbus claim is accepted";
    {
      await using binary = await Binary.start({ args: [...args, "--jwt-issuer", "somebody"] });
      expect(binary.stderr).toContain(` warn  ${warning}`);
    }
    await using open = await Binary.start({ args });
    expect(open.stderr).toContain(` warn  ${warning}`);
    await expectOk(await ask(open.url, forOther));
    await using strict = await Binary.start({ args: [...args, "--jwt-audience", "bus"] });
    expect(strict.stderr).not.toContain("--jwt-audience");
    expect(await refusal(strict.url, forOther)).toBe("the claim aud of the token does not have the required value");
    const forBus = await sign({ alg: "ES256", key: privateKey, claims: { eventbus: claim, aud: "bus" } });
    await expectOk(await ask(strict.url, forBus));
  });
});
