const PATH = "/api/consumers/soak";

/** Takes events as a consumer and acknowledges them, until the server is gone. */
export class Worker {
  readonly #url: string;
  /** Deliveries that were acknowledged. */
  acknowledged = 0;
  /** Resolves when the server is gone. */
  readonly ended: Promise<void>;

  static async start(url: string): Promise<Worker> {
    const response = await send("PUT", url + PATH, { pattern: ["load.*"], order: "none" });
    if (!response.ok) throw new Error(`the consumer was refused with ${response.status}`);
    return new Worker(url);
  }

  private constructor(url: string) {
    this.#url = url;
    this.ended = this.#work().catch(() => {});
  }

  async #work(): Promise<void> {
    for (;;) {
      const taken: { delivery: string }[] = await (
        await send("POST", `${this.#url}${PATH}/take?max=100&wait=1s`)
      ).json();
      if (taken.length === 0) continue;
      const deliveries = taken.map(({ delivery }) => delivery);
      const { done } = await (await send("POST", `${this.#url}${PATH}/ack`, { deliveries })).json();
      this.acknowledged += done;
    }
  }
}

function send(method: string, url: string, body?: unknown): Promise<Response> {
  return fetch(url, { method, ...(body !== undefined && { body: JSON.stringify(body) }) });
}
