import { Consumers, type ConsumersOptions } from "../../src/bus/consumers/consumers.ts";
import { InterestTable } from "../../src/bus/interest/interest.ts";
import { SqliteEventLog } from "../../src/store/event-log.ts";
import { draft } from "../contract/log-driver.ts";
import { FakeClock } from "./clock.ts";
import { TempFolder } from "./temp.ts";

/** Consumers over a history of their own, by a clock that stands still. */
export class ConsumerBench implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly #folder = new TempFolder();
  #log: SqliteEventLog;
  #consumers: Consumers;
  #runs = 0;

  constructor() {
    this.#log = this.#openLog();
    this.#consumers = this.#openConsumers();
  }

  get log(): SqliteEventLog {
    return this.#log;
  }

  get consumers(): Consumers {
    return this.#consumers;
  }

  /** Publishes an event of each topic; resolves with their ids. */
  async publish(...topics: string[]): Promise<number[]> {
    const { events } = await this.#log.append(topics.map((topic) => draft(topic, topic)));
    return events.map(({ id }) => id);
  }

  /** Stops and opens everything again. */
  async reopen(): Promise<void> {
    this.#consumers.close();
    await this.#log.close();
    this.#log = this.#openLog();
    this.#consumers = this.#openConsumers();
  }

  /** Opens what would be there if the process had been killed now. */
  async crash(): Promise<void> {
    const [log, consumers] = [this.#log, this.#consumers];
    const path = this.#folder.copyDatabase(this.#folder.file(`${this.#runs}.db`), `${this.#runs + 1}.db`);
    this.#runs++;
    this.#log = new SqliteEventLog(path, { clock: this.clock.read, durability: "os" });
    this.#consumers = this.#openConsumers();
    consumers.close();
    await log.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#consumers.close();
    await this.#log.close();
    this.#folder[Symbol.dispose]();
  }

  #openLog(): SqliteEventLog {
    return new SqliteEventLog(this.#folder.file(`${this.#runs}.db`), { clock: this.clock.read, durability: "os" });
  }

  #openConsumers(): Consumers {
    const table = new InterestTable();
    this.#log.onCommit((batch) => table.deliver(batch));
    const options: ConsumersOptions = {
      log: this.#log,
      store: this.#log.consumers,
      interests: table,
      clocks: { wall: this.clock.read, monotonic: this.clock.read },
      makeRun: () => crypto.randomUUID().slice(0, 8),
      makeSecret: () => "whsec_c2VjcmV0",
      nextTurn: () => new Promise((resolve) => setImmediate(resolve)),
    };
    return new Consumers(options);
  }
}
