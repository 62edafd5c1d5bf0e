import { expect, test } from "bun:test";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { NatsServer } from "../helpers/nats-server.ts";
import { describeWith } from "../helpers/requires.ts";

const STREAM = { name: "events", subjects: ["events"] };

// What the cluster relies on, in the pinned versions. A line that fails after an update changes the design.
describeWith("nats-server", "NATS JetStream", () => {
  test("acknowledges a message id twice, and stores it once", async () => {
    await using server = await NatsServer.start();
    await using client = await connected(server);
    const publish = () => jetstream(client.connection).publish("events", "text", { msgID: "a" });
    const acks = [await publish(), await publish()];
    expect(acks.map(({ seq, duplicate }) => ({ seq, duplicate }))).toEqual([
      { seq: 1, duplicate: false },
      { seq: 1, duplicate: true },
    ]);
  });

  test("keeps what it acknowledged when it is killed", async () => {
    await using server = await NatsServer.start();
    await using client = await connected(server);
    await jetstream(client.connection).publish("events", "text");
    await server.kill();
    await server.start();
    await using again = await connected(server);
    const { state } = await (await jetstreamManager(again.connection)).streams.info("events");
    expect(state).toMatchObject({ first_seq: 1, last_seq: 1 });
  });

  test("reports whether it syncs before it acknowledges", async () => {
    await using always = await NatsServer.start();
    await using seldom = await NatsServer.start({ syncInterval: "10s" });
    expect(await always.monitor("/jsz?config=true")).toMatchObject({ config: { sync_always: true } });
    expect(await seldom.monitor("/jsz?config=true")).not.toMatchObject({ config: { sync_always: true } });
  });
});

/** A client of the server, with the stream. */
async function connected(server: NatsServer) {
  const connection = await connect({ servers: server.url, maxReconnectAttempts: -1 });
  await (await jetstreamManager(connection)).streams.add(STREAM);
  return { connection, [Symbol.asyncDispose]: () => connection.close() };
}
