/** Parses a publish on a WebSocket and acknowledges it as the program would, with nothing kept. */
const [port] = process.argv.slice(2);
let id = 0;

Bun.serve({
  hostname: "127.0.0.1",
  port: Number(port),
  development: false,
  fetch: (request, server) => (server.upgrade(request) ? undefined : new Response("ready")),
  websocket: {
    message(socket, message) {
      const { ref, topic, data = null, source = "" } = JSON.parse(String(message));
      socket.send(
        JSON.stringify({ type: "ack", ref, event: { id: ++id, topic, data, source, created_at: new Date() } }),
      );
    },
  },
});
