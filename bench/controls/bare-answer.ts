/** Answers every request with the same JSON array: what asking and being answered costs without any history. */
const [port, , count, bytes] = process.argv.slice(2);

const event = JSON.stringify({ text: "x".repeat(Math.max(0, Number(bytes) - 11)) });
const answer = `[${Array(Number(count)).fill(event).join(",")}]`;

Bun.serve({
  hostname: "127.0.0.1",
  port: Number(port),
  development: false,
  fetch: () => new Response(answer, { headers: { "Content-Type": "application/json" } }),
});
