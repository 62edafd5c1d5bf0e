/** Parses a publish and answers as the program would, with nothing in between: what HTTP alone costs. */
const [port] = process.argv.slice(2);
let id = 0;

Bun.serve({
  hostname: "127.0.0.1",
  port: Number(port),
  development: false,
  routes: {
    "/api/events/publish": {
      POST: async (request) => {
        const { topic, data = null, source = "" } = (await request.json()) as Record<string, unknown>;
        return Response.json({ id: ++id, topic, data, source, created_at: new Date() });
      },
    },
  },
  fetch: () => new Response("ready"),
});
