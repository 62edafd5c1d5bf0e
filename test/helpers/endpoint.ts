import { until } from "./inbox.ts";

export interface Received {
  readonly headers: Record<string, string>;
  readonly body: string;
}

/** An endpoint that answers as the test says. */
export class Endpoint implements Disposable {
  readonly received: Received[] = [];
  answer: (request: Received) => Response | Promise<Response> = () => new Response(null, { status: 204 });
  readonly #server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      const one = { headers: Object.fromEntries(request.headers), body: await request.text() };
      this.received.push(one);
      return this.answer(one);
    },
  });

  get url(): string {
    return `http://127.0.0.1:${this.#server.port}/hook?a=b`;
  }

  count(count: number): Promise<void> {
    return until(() => this.received.length >= count, `${count} requests`);
  }

  get ids(): number[] {
    return this.received.map(({ body }) => JSON.parse(body).id);
  }

  [Symbol.dispose](): void {
    void this.#server.stop(true);
  }
}
