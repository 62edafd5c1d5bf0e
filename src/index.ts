import { type BusOptions, Bus as CoreBus } from "./bus/bus.ts";
import type { EventLog } from "./bus/ports.ts";
import { SqliteEventLog } from "./store/event-log.ts";
import type { Durability } from "./store/file/sqlite.ts";

export { BusError } from "./bus/errors.ts";
export type { Event } from "./bus/event.ts";
export type { SubscribeOptions, TimeRange } from "./bus/options.ts";
export type { EventLog } from "./bus/ports.ts";
export type { Subscriber } from "./bus/subscriber.ts";
export { serveSubscribe } from "./http/serve-subscribe.ts";
export type { EventMessage, TopicSummary } from "./protocol/event.ts";
export type { ControlMessage } from "./protocol/frames.ts";
export type { ErrorCode } from "./protocol/problem.ts";
export { SqliteEventLog } from "./store/event-log.ts";

/** How a bus is opened on a file. Every retention rule is off unless it is given. */
export interface OpenOptions extends Partial<BusOptions> {
  /** `fsync` (the default): an event is on disk when `publish` resolves. `os`: the operating system has it. */
  durability?: Durability;
  /** Called once for each piece of damage that is found in the file. */
  onDamage?: (detail: string) => void;
  /** Called when the file was opened without its last commits, as after a power failure, or may be an older copy. */
  onWarning?: (detail: string) => void;
}

/** The event bus as a library: no server, no network. */
export class Bus extends CoreBus {
  /** A bus over your own log. `clock` defaults to the system's. */
  constructor(log: EventLog, options: Partial<BusOptions> = {}) {
    super(log, { clock: Date.now, ...options });
  }

  /**
   * Opens or creates the history file at `path` (`:memory:` keeps nothing), and a bus over it. Call `stop` at the end.
   *
   * Throws `unavailable` when the file is in use, is not an eventbus history, or has a newer schema.
   */
  static open(path: string, options: OpenOptions = {}): Bus {
    const { durability, onDamage, onWarning, clock } = options;
    const log = new SqliteEventLog(path, {
      ...(durability === undefined ? {} : { durability }),
      ...(onDamage === undefined ? {} : { onDamage }),
      ...(onWarning === undefined ? {} : { onWarning }),
      ...(clock === undefined ? {} : { clock }),
    });
    return new Bus(log, options);
  }
}
