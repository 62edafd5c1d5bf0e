import { EventBusError } from "../../src/client/index.ts";

/** The `EventBusError` that the promise rejects with; any other outcome fails the test. */
export async function failureOf(promise: Promise<unknown>): Promise<EventBusError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof EventBusError) return error;
    throw error;
  }
  throw new Error("nothing was thrown, an EventBusError was expected");
}

/** A server that answers each request with the next of these, and later ones with the last. */
export function scriptedServer(...answers: ((request: Request) => Response | Promise<Response>)[]) {
  const requests: Request[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => {
      const answer = answers[Math.min(requests.length, answers.length - 1)];
      requests.push(request.clone());
      return answer?.(request) ?? new Response(null, { status: 500 });
    },
  });
  return {
    url: server.url.href,
    requests,
    [Symbol.dispose]: () => void server.stop(true),
  };
}

/** A problem answer. */
export function problem(status: number, code: string, headers: Record<string, string> = {}): Response {
  const body = { type: `urn:eventbus:problem:${code}`, title: "A title", status, detail: `because of ${code}`, code };
  return Response.json(body, { status, headers: { ...headers, "Content-Type": "application/problem+json" } });
}
