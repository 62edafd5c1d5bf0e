import { describe, expect, test } from "bun:test";
import type { Server, ServerWebSocket } from "bun";
import { type ChannelSocket, SocketChannel } from "../../../src/http/websocket/socket-channel.ts";
import { RawSubscriber } from "../../helpers/raw-web-socket.ts";

/** What cohorts rely on: Bun keeps the order of all that one socket is sent, whichever way. */
describe.each([10, 1000, 16_000, 17_000, 300_000])("messages of %d characters", (size) => {
  test("published and sent to a socket that changes its channels arrive in order, each once", async () => {
    await using world = await World.open(2);
    const [first, second] = world.peers;
    const [x, y, z] = [world.channel(), world.channel(), world.channel()];
    let n = 0;
    const expected: [number[], number[]] = [[], []];
    const publish = (channel: SocketChannel, ...to: (0 | 1)[]) => {
      channel.deliver(messageOf(++n, size));
      for (const who of to) expected[who].push(n);
    };
    const send = (who: 0 | 1) => {
      world.peers[who]?.socket.send(JSON.stringify(messageOf(++n, size)));
      expected[who].push(n);
    };
    if (!first || !second) throw new Error("both are connected");
    x.add(first);
    y.add(second);
    publish(x, 0);
    publish(y, 1);
    // Out of its last channel, with something on the way.
    x.remove(first);
    publish(x);
    send(0);
    // Into a channel in which something is on the way to others.
    publish(y, 1);
    y.add(first);
    publish(y, 0, 1);
    send(1);
    publish(y, 0, 1);
    // From one to the other, as in a merge and in a split.
    z.add(first);
    y.remove(first);
    publish(z, 0);
    publish(y, 1);
    y.add(first);
    z.remove(first);
    publish(z);
    // More than Bun holds back for one socket.
    for (let count = 0; count < 100; count++) {
      publish(y, 0, 1);
      if (count % 7 === 0) y.settle();
    }
    y.remove(second);
    publish(y, 0);
    y.add(second);
    publish(y, 0, 1);
    for (const who of [0, 1] as const) {
      const got = await Promise.all(expected[who].map(async () => (await world.readers[who]?.nextJson())?.["id"]));
      expect(got).toEqual(expected[who]);
    }
  });
});

test("what a socket does not accept is waiting in it once it is settled", async () => {
  await using world = await World.open(1);
  const [peer, reader] = [world.peers[0], world.readers[0]];
  if (!peer || !reader) throw new Error("it is connected");
  reader.pause();
  while (peer.socket.getBufferedAmount() === 0) peer.socket.send("x".repeat(1_000_000));
  const channel = world.channel();
  channel.add(peer);
  const before = peer.socket.getBufferedAmount();
  for (let count = 0; count < 5; count++) channel.deliver(messageOf(count, 10_000));
  channel.settle();
  expect(peer.socket.getBufferedAmount() - before).toBeGreaterThan(50_000);
});

function messageOf(id: number, size: number) {
  return { type: "caught_up", id, padding: "x".repeat(size) } as const;
}

class Peer implements ChannelSocket {
  readonly socket: ServerWebSocket<undefined>;

  constructor(socket: ServerWebSocket<undefined>) {
    this.socket = socket;
  }

  enter({ name }: SocketChannel): void {
    this.socket.subscribe(name);
  }

  leave({ name }: SocketChannel): void {
    this.socket.unsubscribe(name);
  }

  settle({ name }: SocketChannel): void {
    this.socket.unsubscribe(name);
    this.socket.subscribe(name);
  }
}

/** A bare server with some sockets. */
class World implements AsyncDisposable {
  readonly peers: Peer[] = [];
  readonly readers: RawSubscriber[] = [];
  readonly #server: Server<undefined>;

  private constructor() {
    this.#server = Bun.serve<undefined>({
      hostname: "127.0.0.1",
      port: 0,
      fetch: (request, server) => (server.upgrade(request) ? undefined : new Response()),
      websocket: {
        open: (socket) => void this.peers.push(new Peer(socket)),
        message: () => {},
        backpressureLimit: 1024 ** 3,
      },
    });
  }

  static async open(sockets: number): Promise<World> {
    const world = new World();
    while (world.readers.length < sockets) {
      world.readers.push(await RawSubscriber.open(world.#server.url.href.replace(/\/$/, "")));
    }
    return world;
  }

  channel(): SocketChannel {
    return new SocketChannel(this.#server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const reader of this.readers) reader[Symbol.dispose]();
    await this.#server.stop(true);
  }
}
