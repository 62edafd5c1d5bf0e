/** Sends what is published to every socket, and answers: nothing is kept, nothing is ordered. */
const [port] = process.argv.slice(2);

Bun.serve({
  hostname: "127.0.0.1",
  port: Number(port),
  development: false,
  async fetch(request, server) {
    if (server.upgrade(request)) return undefined;
    if (request.method === "GET") return new Response("ready");
    const event = JSON.stringify(await request.json());
    server.publish("all", event);
    return new Response(event);
  },
  websocket: {
    open: (socket) => void socket.subscribe("all"),
    message() {},
  },
});
