import { describe, expect, test } from "bun:test";
import { readdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { checkFile } from "../../../src/store/check/check.ts";
import { SqliteEventLog } from "../../../src/store/event-log.ts";
import { expectProblem, publish, publishMany, RawConnection, requestText } from "../../helpers/http.ts";
import { startService } from "../../helpers/service.ts";
import { TempFolder } from "../../helpers/temp.ts";

/** Larger than what the sockets between server and client hold. */
const LARGE = Array.from({ length: 40 }, (_, n) => ({ topic: "large", data: { n, text: "x".repeat(200_000) } }));

describe("GET /api/backup", () => {
  test("answers with an intact history of all that was published", async () => {
    await using service = await startService();
    using folder = new TempFolder();
    await publishMany(service.url, Array(500).fill({ topic: "a", data: 1 }));
    const response = await fetch(`${service.url}/api/backup`);
    expect(response.headers.get("content-type")).toBe("application/vnd.sqlite3");
    expect(response.headers.get("content-disposition")).toMatch(/^attachment; filename="eventbus-\d{8}T\d{6}Z\.db"$/);
    const bytes = await response.bytes();
    expect(bytes.length).toBe(Number(response.headers.get("eventbus-backup-bytes")));
    writeFileSync(folder.file(), bytes);
    const found = await checkFile(folder.file(), { onDamage: (detail) => expect(detail).toBe("") });
    expect(found).toEqual({ isSound: true, unlisted: 0, events: 500, floor: 1, head: 500 });
  });

  test("makes one at a time, and the next one when the client of the first has left", async () => {
    await using service = await startService({ maxBody: 2 ** 20 });
    await publishMany(service.url, LARGE);
    const leaving = new AbortController();
    const first = await fetch(`${service.url}/api/backup`, { signal: leaving.signal });
    expect(first.status).toBe(200);
    const second = await fetch(`${service.url}/api/backup`);
    expect(second.headers.get("retry-after")).toBe("10");
    await expectProblem(second, "unavailable");
    leaving.abort();
    for (;;) {
      const third = await fetch(`${service.url}/api/backup`);
      if (third.status !== 200) await third.text();
      else if ((await third.bytes()).length > 8_000_000) break;
      else throw new Error("the copy is too small");
    }
  });

  test("counts as ended by the client if it leaves before there is a response", async () => {
    await using service = await startService({ maxBody: 2 ** 20 });
    for (let round = 0; round < 5; round++) await publishMany(service.url, LARGE);
    const metrics = async () => (await fetch(`${service.url}/metrics`)).text();
    {
      using leaving = await RawConnection.open(service.url);
      leaving.write(requestText("GET /api/backup"));
      await metrics();
    }
    const counted = /_count.*route="\/api\/backup",status="(\d+)"/;
    let status: string | undefined;
    while (status === undefined) status = counted.exec(await metrics())?.[1];
    expect(status).toBe("499");
  });

  test("leaves no file behind, whether it is read or not", async () => {
    using folder = new TempFolder();
    await using service = await startService({ db: folder.file() });
    await publishMany(service.url, LARGE);
    const before = readdirSync(folder.path);
    const response = await fetch(`${service.url}/api/backup`);
    expect(readdirSync(dirname(folder.file()))).toEqual(before);
    await response.body?.cancel();
    expect(readdirSync(folder.path)).toEqual(before);
  });

  test("copies a history that is kept in memory", async () => {
    await using service = await startService({ db: ":memory:" });
    using folder = new TempFolder();
    await publish(service.url, "a");
    writeFileSync(folder.file(), await (await fetch(`${service.url}/api/backup`)).bytes());
    const log = new SqliteEventLog(folder.file());
    expect(log.head).toBe(1);
    await log.close();
  });

  test("rejects parameters that it does not know", async () => {
    await using service = await startService();
    await expectProblem(await fetch(`${service.url}/api/backup?full=1`), "parameter_unknown");
  });
});
