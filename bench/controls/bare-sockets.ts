/** Sockets that subscribe to a topic and are then left alone. */
const [port] = process.argv.slice(2);

Bun.serve({
  hostname: "127.0.0.1",
  port: Number(port),
  development: false,
  fetch: (request, server) => (server.upgrade(request) ? undefined : new Response("ready")),
  websocket: {
    open: (socket) => void socket.subscribe("all"),
    message() {},
  },
});
