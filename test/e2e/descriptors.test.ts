import { expect, test } from "bun:test";
import { Binary } from "../helpers/binary.ts";
import { expectRawProblem, publish, RawConnection, requestText } from "../helpers/http.ts";
import { HANDSHAKE } from "../helpers/raw-web-socket.ts";
import { TestSocket } from "../helpers/socket.ts";

/** The server reserves 64 of these for its files, which leaves 36 for connections. */
const DESCRIPTORS = 100;

/** Asks for subscriptions until one is refused, which closes its connection; returns those that were not. */
async function subscribeUntilRefused(url: string): Promise<RawConnection[]> {
  const taken: RawConnection[] = [];
  for (;;) {
    const connection = await RawConnection.open(url);
    connection.write(requestText("GET /api/events/subscribe", HANDSHAKE));
    const answer = await connection.answer();
    if (answer?.status === 101) {
      taken.push(connection);
      continue;
    }
    expect(answer?.status).toBe(503);
    expect(answer?.body).toContain("too_many_connections");
    await connection.closed();
    return taken;
  }
}

/** Asks on a new connection each time, until the answer is this; the server reuses a descriptor count briefly. */
async function untilHistoryIs(url: string, status: 200 | 503): Promise<void> {
  for (;;) {
    using connection = await RawConnection.open(url);
    connection.write(requestText("GET /api/events/history"));
    const answer = await connection.answer();
    if (answer?.status === 503) {
      expectRawProblem(answer, "too_many_connections");
      await connection.closed();
    }
    if (answer?.status === status) return;
  }
}

test("a server warns at its start when it has too few file descriptors for its connections", async () => {
  await using server = await Binary.start({ descriptors: DESCRIPTORS });
  expect(server.stderr).toContain("too few file descriptors for --max-connections");
  await using enough = await Binary.start({ args: ["--max-connections", "36"], descriptors: DESCRIPTORS });
  expect(enough.stderr).not.toContain("--max-connections");
});

test("a server with few file descriptors turns connections away, serves those it has, and recovers", async () => {
  await using server = await Binary.start({ descriptors: DESCRIPTORS });
  using subscriber = await TestSocket.open(server.url);
  await publish(server.url, "before");
  expect(await subscriber.nextJson()).toMatchObject({ topic: "before" });
  const others = await subscribeUntilRefused(server.url);
  expect(others.length).toBeGreaterThan(5);
  expect(others.length).toBeLessThan(36);
  await untilHistoryIs(server.url, 503);
  expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  subscriber.send({ type: "publish", topic: "during" });
  expect(await subscriber.nextJson()).toMatchObject({ topic: "during" });
  for (const other of others) other.terminate();
  await untilHistoryIs(server.url, 200);
  expect(await server.stop()).toBe(0);
});
