/** Sends a constant to every socket, page by page, as fast as it reads: what a replay without a history would be. */
import type { ServerWebSocket } from "bun";

const [port, , count, bytes] = process.argv.slice(2);

const PAGE = 250;
const RESUME_BYTES = 64 * 1024;
const message = JSON.stringify({ text: "x".repeat(Math.max(0, Number(bytes) - 11)) });

interface Replay {
  left: number;
}

Bun.serve<Replay>({
  hostname: "127.0.0.1",
  port: Number(port),
  development: false,
  fetch: (request, server) =>
    server.upgrade(request, { data: { left: Number(count) } }) ? undefined : new Response("ready"),
  websocket: { open: pump, drain: pump, message() {} },
});

function pump(socket: ServerWebSocket<Replay>): void {
  if (socket.readyState !== WebSocket.OPEN || socket.getBufferedAmount() > RESUME_BYTES) return;
  const page = Math.min(PAGE, socket.data.left);
  for (let sent = 0; sent < page; sent++) socket.send(message);
  socket.data.left -= page;
  if (socket.data.left > 0) setImmediate(() => pump(socket));
}
