/**
 * Posts the same event to the address in a loop, eight at a time, signed by Standard Webhooks: `fetch` by Bun and
 * nothing else. Starts when it gets the address by a request.
 */
const [port] = process.argv.slice(2);
const CONCURRENCY = 8;
const key = crypto.getRandomValues(new Uint8Array(24));
const body = JSON.stringify({ id: 1, topic: "site1.sensor1", data: { text: "x".repeat(100) } });

Bun.serve({
  port: Number(port),
  hostname: "127.0.0.1",
  fetch: async (request) => {
    if (request.method === "POST") {
      const url = await request.text();
      for (let one = 0; one < CONCURRENCY; one++) void postForever(url);
    }
    return new Response();
  },
});

async function postForever(url: string): Promise<never> {
  for (let number = 0; ; number++) {
    const id = `evt_${number}`;
    const timestamp = Math.floor(Date.now() / 1000);
    const signature = new Bun.CryptoHasher("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64");
    const response = await fetch(url, {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        "webhook-id": id,
        "webhook-timestamp": String(timestamp),
        "webhook-signature": `v1,${signature}`,
      },
      body,
    });
    await response.arrayBuffer();
  }
}
