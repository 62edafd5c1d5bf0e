import { describe, expect, test } from "bun:test";
import { Binary, runBinary } from "../helpers/binary.ts";
import { expectOk, expectProblem } from "../helpers/http.ts";
import { TestSocket } from "../helpers/socket.ts";
import { TempFolder } from "../helpers/temp.ts";

async function made(...args: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await runBinary(["token", "create", ...args]);
  expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
  expect(stdout).toMatch(/^ebt_[\w-]{43}\n$/);
  return stdout.trim();
}

function bearer(secret: string): { headers: Record<string, string> } {
  return { headers: { Authorization: `Bearer ${secret}` } };
}

describe("eventbus token, in the file,", () => {
  test("makes the first one, for a server that may then listen everywhere", async () => {
    using folder = new TempFolder();
    const db = folder.file("bus.db");
    const refused = await runBinary(["--host", "0.0.0.0", "--port", "0", "--db", db]);
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).toContain(`eventbus token create NAME --admin --db ${db}`);
    expect(refused.stderr).toContain("--allow-anonymous");
    const secret = await made("root", "--admin", "--subscribe", "*", "--db", db);
    await using binary = await Binary.start({ args: ["--host", "0.0.0.0", "--db", db] });
    const url = `http://127.0.0.1:${binary.port}`;
    await expectOk(await fetch(`${url}/api/stats`, bearer(secret)));
    await expectProblem(await fetch(`${url}/api/stats`), "token_missing");
    expect(await binary.stop()).toBe(0);
    expect(await Bun.file(db).text()).not.toContain(secret);
    expect(binary.stderr).not.toContain(secret);
  });

  test("rejects a first one that is not an admin token, and reports wrong usage", async () => {
    using folder = new TempFolder();
    const db = folder.file("bus.db");
    const first = await runBinary(["token", "create", "shop", "--publish", "*", "--db", db]);
    expect(first).toMatchObject({ exitCode: 2, stdout: "" });
    expect(first.stderr).toContain("--admin");
    for (const wrong of [["--expires", "soon"], ["--expires", "0s"], ["--publish", "["], ["--amdin"]]) {
      const { exitCode } = await runBinary(["token", "create", "a", "--admin", "--db", db, ...wrong]);
      expect({ wrong, exitCode }).toEqual({ wrong, exitCode: 2 });
    }
    const only = ["token", "create", "first", "--admin", "--if-none", "--db", db];
    expect((await runBinary(only)).stdout).toStartWith("ebt_");
    expect(await runBinary(only)).toMatchObject({ exitCode: 0, stdout: "" });
    const none = await runBinary(["token", "list", "--db", folder.file("none.db")]);
    expect(none.exitCode).toBe(1);
  });
});

describe("eventbus token, through a running server,", () => {
  test("makes, lists and revokes at once, and logs no secret", async () => {
    await using binary = await Binary.start({ args: ["--log-level", "debug"] });
    const root = await made("root", "--admin", "--publish", "*", "--url", binary.url);
    const at = ["--url", binary.url, "--token", root];
    const shop = await made(
      "shop",
      "--publish",
      "orders.*",
      "--subscribe",
      "*",
      "--monitor",
      "--expires",
      "30d",
      ...at,
    );
    const list = await runBinary(["token", "list", ...at]);
    expect(list.stdout).toMatch(
      /^NAME +PUBLISH +SUBSCRIBE +CONSUME +ROLE +EXPIRES\nroot +\* +- +- +admin +never\nshop +orders\.\* +\* +- +monitor +20/,
    );
    expect(list.stdout).not.toContain("ebt_");
    const env = { EVENTBUS_URL: binary.url, EVENTBUS_TOKEN: root };
    const json = await runBinary(["token", "list", "--output", "json"], { env });
    expect(JSON.parse(json.stdout)).toMatchObject([{ name: "root" }, { name: "shop", publish: ["orders.*"] }]);
    using socket = await TestSocket.open(binary.url, `access_token=${shop}`);
    expect(await runBinary(["token", "revoke", "shop"], { env })).toMatchObject({ exitCode: 0, stdout: "" });
    expect(await socket.closed).toMatchObject({ code: 1008 });
    await expectProblem(await fetch(`${binary.url}/api/events/history`, bearer(shop)), "token_invalid");
    await expectProblem(await fetch(`${binary.url}/api/stats?access_token=${shop}`), "token_invalid");
    const last = await runBinary(["token", "revoke", "root"], { env });
    expect(last.exitCode).not.toBe(0);
    expect(last.stderr).toContain("last valid admin token");
    for (const secret of [root, shop]) expect(binary.stderr).not.toContain(secret);
    const changes = binary.stderr.split("\n").filter((line) => line.includes("token "));
    expect(changes.map((line) => line.replace(/.*info +/, ""))).toEqual([
      "token made name=root by=",
      "token made name=shop by=token root",
      "token revoked name=shop by=token root",
    ]);
  });

  test("says so when the token is invalid, or no server responds", async () => {
    await using binary = await Binary.start();
    await made("root", "--admin", "--url", binary.url);
    const refused = await runBinary(["token", "list", "--url", binary.url]);
    expect(refused).toMatchObject({ exitCode: 1, stdout: "" });
    expect(refused.stderr).toContain("token");
    await binary.stop();
    const gone = await runBinary(["token", "list", "--url", binary.url]);
    expect(gone.exitCode).toBe(1);
    const nonsense = await runBinary(["token", "list", "--url", "nonsense"]);
    expect(nonsense).toMatchObject({ exitCode: 2, stdout: "" });
    expect(nonsense.stderr).toMatch(/^eventbus: [^\n]+\n$/);
  });

  test("restricts the server after a restart, too", async () => {
    using folder = new TempFolder();
    const args = ["--db", folder.file("bus.db")];
    let secret = "";
    {
      await using binary = await Binary.start({ args });
      secret = await made("root", "--admin", "--url", binary.url);
      expect(await binary.stop("SIGKILL")).toBeGreaterThan(0);
    }
    await using binary = await Binary.start({ args });
    await expectProblem(await fetch(`${binary.url}/api/stats`), "token_missing");
    await expectOk(await fetch(`${binary.url}/api/stats`, bearer(secret)));
  });
});
