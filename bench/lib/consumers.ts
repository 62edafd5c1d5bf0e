import { HttpConnection } from "../load/http-connection.ts";
import { historyRequest } from "../load/requests.ts";
import { SMALL_EVENT } from "./load.ts";
import type { Server } from "./server.ts";

const LINES = 5000;

/** Sets up a consumer; of every topic, if `settings` have no pattern. */
export async function setConsumer(server: Server, name: string, settings: object): Promise<void> {
  const response = await fetch(`${server.url}/api/consumers/${name}`, {
    method: "PUT",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ pattern: ["*"], ...settings }),
  });
  if (!response.ok) throw new Error(`the consumer could not be made: ${await response.text()}`);
}

/** Publishes this many small events, or a few more. */
export async function fill(server: Server, events: number): Promise<void> {
  const connection = await HttpConnection.open(server.port);
  const body = { ...SMALL_EVENT, events: LINES };
  for (let first = 0; first < events; first += LINES) await connection.ask(historyRequest(body, first));
  connection.close();
}
