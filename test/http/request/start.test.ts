import { beforeAll, describe, expect, test } from "bun:test";
import { exchange, expectRawProblem, publishMany, requestText } from "../../helpers/http.ts";
import { HANDSHAKE } from "../../helpers/raw-web-socket.ts";
import { sharedService } from "../../helpers/service.ts";

describe.each([
  ["stream", []],
  ["subscribe", HANDSHAKE],
])("since above the newest id, of /api/events/%s,", (path, headers) => {
  const service = sharedService();
  beforeAll(() => publishMany(service.url, Array(5).fill({ topic: "a" })));
  const ask = (since: string) =>
    exchange(service.url, requestText(`GET /api/events/${path}?since=${since}`, [...headers]));

  test.each([
    ["6", "give an id that you received"],
    ["999999999", "give an id that you received"],
    ["999999999999", "give an id that you received"],
    ["1796022000", "write 2026-11-30T07:00:00Z"],
    ["1796022000123", "write 2026-11-30T07:00:00Z"],
  ])("is rejected, with a hint at what was probably meant: %s", async (since, words) => {
    const problem = expectRawProblem(await ask(since), "parameter_invalid");
    expect(problem.parameter).toBe("since");
    expect(problem.detail).toContain(words);
  });

  test("is not the newest id itself", async () => {
    expect((await ask("5"))?.status).toBe(path === "stream" ? 200 : 101);
  });
});
