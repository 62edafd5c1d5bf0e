import type { Problem } from "../../src/protocol/problem.ts";
import { post } from "./http.ts";
import type { Attempt } from "./load.ts";
import { RawSubscriber } from "./raw-web-socket.ts";

/** What the server has answered: the first id, or why it has stored nothing. Undefined: the server is gone. */
type Answer = { readonly firstId: number } | Pick<Problem, "code" | "detail"> | undefined;

/** Sends a request, and resolves with the answer. Never rejects. */
export type Send = (attempt: Attempt) => Promise<Answer>;

/** Each attempt is a request: JSON for one event, NDJSON for several. */
export function sendByHttp(url: string): Send {
  return async ({ data, key }) => {
    const type = data.length === 1 ? "application/json" : "application/x-ndjson";
    const body = data.map((one) => JSON.stringify({ topic: topicOf(data), data: one })).join("\n");
    try {
      const response = await post(url, body, key === undefined ? { type } : { type, key });
      const answer = await response.json();
      return response.ok ? { firstId: answer.id ?? answer.first_id } : answer;
    } catch {
      return undefined;
    }
  };
}

/** Each attempt is a frame of one WebSocket, which has one event. */
export class WebSocketSender implements Disposable {
  readonly #socket: RawSubscriber;
  #ref = 0;

  /** Rejects if the server is gone. */
  static async open(url: string): Promise<WebSocketSender> {
    return new WebSocketSender(await RawSubscriber.open(url, "pattern=none"));
  }

  private constructor(socket: RawSubscriber) {
    this.#socket = socket;
  }

  async send({ data }: Attempt): Promise<Answer> {
    const ref = ++this.#ref;
    this.#socket.send({ type: "publish", ref, topic: topicOf(data), data: data[0] });
    try {
      const answer = JSON.parse(await this.#socket.next());
      if (answer.ref !== ref) throw new Error(`the answer to frame ${ref} is ${JSON.stringify(answer)}`);
      return answer.type === "ack" ? { firstId: answer.event.id } : answer;
    } catch (error) {
      if (error instanceof Error && error.message.startsWith("closed")) return undefined;
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#socket[Symbol.dispose]();
  }
}

function topicOf(data: readonly string[]): string {
  return `load.${data.length % 7}`;
}
