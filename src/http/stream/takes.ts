import type { Principal } from "../../bus/access/principal.ts";
import type { Consumer, Taker } from "../../bus/consumers/consumer.ts";
import type { Delivery } from "../../bus/consumers/task.ts";
import { BusError } from "../../bus/errors.ts";
import type { Guest, Guests } from "../access/guests.ts";
import { prefersLines } from "../request/accept.ts";
import { DATA_HEADERS, jsonText, NDJSON_TYPE } from "../response/answer.ts";
import { deliveryMembers } from "../response/delivery.ts";

/** One request that waits for deliveries. */
interface Waiter extends Taker, Guest {
  /** Ends the waiting with nothing. */
  end(): void;
}

/** The requests that wait for deliveries. Each holds a few hundred bytes, and no connection to anything else. */
export class Takes {
  readonly #guests: Guests;
  readonly #waiting = new Set<Waiter>();
  #isClosed = false;

  constructor(guests: Guests) {
    this.#guests = guests;
  }

  /** Takes at most `max` deliveries; waits for the first one for at most `waitMs` milliseconds. */
  take(
    consumer: Consumer,
    max: number,
    waitMs: number,
    request: Request,
    caller: Principal,
  ): Response | Promise<Response> {
    const now = consumer.take(max);
    if (now.length > 0 || waitMs === 0 || this.#isClosed) return responseOf(now, request);
    return this.#wait(consumer, max, waitMs, request, caller);
  }

  /** Ends the waiting of all requests, and lets none wait from now on. */
  close(): void {
    this.#isClosed = true;
    for (const waiter of [...this.#waiting]) waiter.end();
  }

  #wait(consumer: Consumer, max: number, waitMs: number, request: Request, caller: Principal): Promise<Response> {
    const { signal } = request;
    return new Promise((resolve, reject) => {
      const leave = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", abandon);
        consumer.removeTaker(waiter);
        this.#waiting.delete(waiter);
        this.#guests.delete(caller, waiter);
      };
      const waiter: Waiter = {
        room: max,
        give: (deliveries) => {
          leave();
          resolve(responseOf(deliveries, request));
        },
        end: () => {
          leave();
          resolve(responseOf([], request));
        },
        dismissed: () => waiter.end(),
        expel: () => {
          leave();
          reject(new BusError("token_invalid", "the token has expired or was revoked"));
        },
      };
      const abandon = () => {
        leave();
        reject(signal.reason);
      };
      const timer = setTimeout(waiter.end, waitMs);
      signal.addEventListener("abort", abandon);
      this.#waiting.add(waiter);
      this.#guests.add(caller, waiter);
      consumer.addTaker(waiter);
    });
  }
}

function responseOf(deliveries: readonly Delivery[], request: Request): Response {
  const texts = deliveries.map((one) => `{${deliveryMembers(one)}}`);
  if (!prefersLines(request, "application/json")) return jsonText(`[${texts.join(",")}]`);
  const lines = texts.map((text) => `${text}\n`).join("");
  return new Response(lines, { headers: { "Content-Type": NDJSON_TYPE, ...DATA_HEADERS } });
}
