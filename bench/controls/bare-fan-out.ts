/**
 * Publishes to all its sockets, 16 messages a turn of the loop, as fast as they read. A turn in which any socket has
 * much to send yet is left out, because Bun would skip that socket.
 */
import type { ServerWebSocket } from "bun";

const [port, , messageBytes] = process.argv.slice(2);

const MESSAGES_A_TURN = 16;
const MOST_BUFFERED_BYTES = 256 * 1024;
const TOPIC = "all";

const sockets = new Set<ServerWebSocket<undefined>>();
let id = 0;

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: Number(port),
  development: false,
  fetch(request, server) {
    if (server.upgrade(request)) return undefined;
    if (new URL(request.url).pathname === "/start") setImmediate(turn);
    return new Response("ready");
  },
  websocket: {
    backpressureLimit: 64 * 1024 * 1024,
    open(socket) {
      socket.subscribe(TOPIC);
      sockets.add(socket);
    },
    close: (socket) => void sockets.delete(socket),
    message() {},
  },
});

function turn(): void {
  setImmediate(turn);
  for (const socket of sockets) if (socket.getBufferedAmount() > MOST_BUFFERED_BYTES) return;
  for (let count = 0; count < MESSAGES_A_TURN; count++) {
    server.publish(TOPIC, `{"id":${++id},"text":"`.padEnd(Number(messageBytes) - 2, "x").concat('"}'));
  }
}
