import type { Workplace } from "../../bus/consumers/consumer.ts";
import { noSuchConsumer } from "../../bus/consumers/consumers.ts";
import type { ConsumerHost } from "../../bus/consumers/ports.ts";
import { BusError } from "../../bus/errors.ts";
import type { Event } from "../../bus/event.ts";
import { NDJSON_TYPE } from "../response/answer.ts";
import type { Relay } from "./relay.ts";
import { SharedWork } from "./shared-work.ts";

export interface WorkplacesOptions {
  readonly host: ConsumerHost;
  readonly relay: Relay;
  /** The history of this node. */
  readonly events: {
    /** Throws a `BusError` if it was removed or is damaged. */
    event(id: number): Event;
  };
}

/** Where the WebSockets of this node work, whichever node serves the consumers. */
export class Workplaces {
  readonly #host: ConsumerHost;
  readonly #relay: Relay;
  readonly #events: WorkplacesOptions["events"];
  readonly #byName = new Map<string, SharedWork>();

  constructor({ host, relay, events }: WorkplacesOptions) {
    this.#host = host;
    this.#relay = relay;
    this.#events = events;
  }

  /** Throws `not_found`. */
  get(name: string): Workplace {
    const eventOf = (id: number) => eventIn(this.#events, id);
    if (!this.#host.names().has(name)) throw noSuchConsumer();
    for (const [known, work] of this.#byName) if (work.isIdle && known !== name) this.#byName.delete(known);
    const work = this.#byName.get(name) ?? new SharedWork({ name, eventOf, ask: askOf(this.#relay, name) });
    this.#byName.set(name, work);
    return work;
  }
}

function eventIn(events: WorkplacesOptions["events"], id: number): Event | undefined {
  try {
    return events.event(id);
  } catch (error) {
    if (error instanceof BusError) return undefined;
    throw error;
  }
}

function askOf(relay: Relay, name: string) {
  return (work: string, body: object, signal: AbortSignal) => {
    const [action = "", search = ""] = work.split("?");
    return relay.call(
      {
        method: "POST",
        path: `/api/consumers/${name}/${action}`,
        search,
        accept: NDJSON_TYPE,
        contentType: "application/json",
        caller: "",
        body: action === "take" ? new Uint8Array() : new Uint8Array(Buffer.from(JSON.stringify(body))),
      },
      signal,
    );
  };
}
