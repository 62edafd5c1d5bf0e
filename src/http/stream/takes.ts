import type { Principal } from "../../bus/access/principal.ts";
import type { Consumer, Taker } from "../../bus/consumers/consumer.ts";
import type { Delivery } from "../../bus/consumers/task.ts";
import { BusError } from "../../bus/errors.ts";
import type { Guest, Guests } from "../access/guests.ts";
import { jsonText } from "../response/answer.ts";
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
    if (now.length > 0 || waitMs === 0 || this.#isClosed) return responseOf(now);
    return this.#wait(consumer, max, waitMs, request, caller);
  }

  /** Ends the waiting of all requests, and lets none wait from now on. */
  close(): void {
    this.#isClosed = true;
    for (const waiter of [...this.#waiting]) waiter.end();
  }

  #wait(consumer: Consumer, max: number, waitMs: number, { signal }: Request, caller: Principal): Promise<Response> {
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
          resolve(responseOf(deliveries));
        },
        end: () => {
          leave();
          resolve(responseOf([]));
        },
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

function responseOf(deliveries: readonly Delivery[]): Response {
  return jsonText(`[${deliveries.map((one) => `{${deliveryMembers(one)}}`).join(",")}]`);
}
