import type { Bus, BusOptions } from "../../src/bus/bus.ts";
import type { Event } from "../../src/bus/event.ts";
import type { EventLog } from "../../src/bus/ports.ts";
import { SpareTime } from "../../src/http/limits/spare-time.ts";
import { Waiting } from "../../src/http/limits/waiting.ts";
import type { HttpServer } from "../../src/http/server.ts";
import { SqliteEventLog } from "../../src/store/event-log.ts";
import { serve } from "../helpers/edge.ts";
import { openGate } from "../helpers/gate.ts";
import { permissions } from "../helpers/permissions.ts";
import { TempFolder } from "../helpers/temp.ts";
import { type Committed, isIn } from "./check.ts";
import type { Request } from "./line.ts";
import { Random } from "./random.ts";
import { Reader } from "./reader.ts";
import {
  type PatternText,
  type PlannedEvent,
  type Scenario,
  type StartPlan,
  type Topic,
  topics,
  type Via,
} from "./scenario.ts";

/** Makes the bus that is under test from a log that tells the truth. */
export type MakeBus = (log: EventLog, options: BusOptions) => Bus;

/** How far every look at the clock moves it, in milliseconds. */
const TICK_MS = 250;
const EPOCH_MS = Date.UTC(2026, 10, 23);

/** What became of a publish, as far as its publisher knows. `unknown`: the connection ended before the answer. */
type Outcome = { readonly acknowledged: readonly { token: number; json: string }[] } | "refused" | "unknown";

/** A real server over a real log, its publishers and subscribers, and the truth about what was committed. */
export class World implements AsyncDisposable {
  readonly #scenario: Scenario;
  readonly #makeBus: MakeBus;
  readonly #folder = new TempFolder();
  readonly #opened = openGate();
  /** Of the tokens, by what they may see. All may publish everything. */
  readonly #secrets = new Map<PatternText, string>();
  readonly #path: string;
  /** Every event that was ever committed, by id, as the log itself reported it. */
  readonly history = new Map<number, Committed & { readonly createdMs: number }>();
  readonly readers: readonly Reader[];
  readonly #publishes: Promise<{ tokens: readonly number[]; outcome: Outcome }>[] = [];
  readonly #prunes: Promise<unknown>[] = [];
  #nowMs = EPOCH_MS;
  #log: EventLog;
  #bus: Bus;
  #server: HttpServer;
  /** Of the servers, one after another. */
  #starts = 0;

  constructor(scenario: Scenario, makeBus: MakeBus) {
    this.#scenario = scenario;
    this.#makeBus = makeBus;
    this.#path = scenario.steps.some((step) => step.do === "restart") ? `${this.#folder.path}/history.db` : ":memory:";
    [this.#log, this.#bus] = this.#open();
    this.#server = this.#serve();
    this.readers = scenario.readers.map((plan) => new Reader(plan, this));
  }

  /** Makes the tokens that the readers need; call it before the first step. */
  async prepare(): Promise<void> {
    if (this.#scenario.readers.some(({ scope }) => scope !== undefined)) await this.#makeTokens();
  }

  get url(): string {
    return this.#server.url;
  }

  get bus(): Bus {
    return this.#bus;
  }

  /** The secret of a token that may see this. */
  secretOf(scope: PatternText | undefined): string | undefined {
    return this.#secrets.get(scope ?? "*");
  }

  get floor(): number {
    return this.#log.floor;
  }

  get head(): number {
    return this.#log.head;
  }

  /** Publishes without waiting for the answer, which `settle` looks at. */
  publish(via: Via, events: readonly PlannedEvent[]): void {
    const tokens = events.map(({ token }) => token);
    this.#publishes.push(this.#send(via, events).then((outcome) => ({ tokens, outcome })));
  }

  prune(): void {
    this.#prunes.push(this.#bus.prune().catch(() => {}));
  }

  /** Stops the server as SIGTERM does, and starts another on the same file. Readers that were connected reconnect. */
  async restart(): Promise<void> {
    const connected = this.readers.filter((reader) => reader.isConnected);
    for (const reader of connected) {
      reader.resume();
      reader.expectStop();
    }
    await this.#stop();
    await Promise.all(connected.map((reader) => reader.untilEnded()));
    [this.#log, this.#bus] = this.#open();
    this.#server = this.#serve();
    for (const reader of connected) reader.connect();
  }

  /** Resolves when every publisher has its answer, or never will, and every pruning is done. */
  async settle(): Promise<void> {
    await Promise.all([...this.#publishes, ...this.#prunes]);
  }

  /** One event under every topic, so that every reader that wants anything gets something last. */
  async publishLast(): Promise<void> {
    await Promise.all(topics.map((topic) => this.#bus.publish(topic, "last")));
  }

  /** What a start plan means as of now. */
  request(plan: StartPlan): Request {
    if (plan.kind === "after") return { kind: "after", id: Math.floor(plan.part * this.head) };
    if (plan.kind !== "time") return plan;
    const id = Math.ceil(plan.part * this.head);
    return { kind: "time", timeMs: this.history.get(id)?.createdMs ?? EPOCH_MS };
  }

  /** The id after which a connection starts that is made now. */
  positionOf(request: Request, wanted: ReadonlySet<PatternText>, scope: PatternText): number {
    const { head, floor } = this;
    switch (request.kind) {
      case "live":
      case "now":
        return head;
      case "all":
        return floor - 1;
      case "after":
        return Math.min(request.id, head);
      case "time":
        return this.#lastBefore(request.timeMs);
      case "ago":
        return this.#lastBefore(this.#nowMs - request.seconds * 1000);
      case "last": {
        const isMatch = (topic: Topic) => isWanted(wanted, topic) && isIn(scope, topic);
        const matching = [...this.history].filter(([id, { topic }]) => id >= floor && isMatch(topic));
        return (matching.at(-request.count)?.[0] ?? floor) - 1;
      }
    }
  }

  /** The newest id under a topic that is wanted and may be seen. */
  newestOf(wanted: ReadonlySet<PatternText>, scope: PatternText): number | undefined {
    return [...this.history].findLast(([, { topic }]) => isWanted(wanted, topic) && isIn(scope, topic))?.[0];
  }

  /** What is wrong with the answers that publishers got, or with the history as it can be asked for. */
  async breach(): Promise<string | undefined> {
    return (await this.#breachOfAnswers()) ?? (await this.#breachOfHistory());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const reader of this.readers) reader.leave();
    await this.#stop();
    this.#folder[Symbol.dispose]();
  }

  async #stop(): Promise<void> {
    await this.#server.stop();
    this.#starts++;
    await this.#bus.stop();
  }

  #open(): [EventLog, Bus] {
    const clock = () => {
      this.#nowMs += TICK_MS;
      return this.#nowMs;
    };
    const log = new SqliteEventLog(this.#path, { durability: "os", clock });
    log.onCommit((batch) => {
      for (const event of batch) this.#note(event);
    });
    const { maxHistory, tuning } = this.#scenario;
    return [log, this.#makeBus(log, { clock, maxHistory, tuning })];
  }

  #serve(): HttpServer {
    const { pageTurns, seed } = this.#scenario;
    const waiting = new FickleWaiting(seed);
    return serve(this.#bus, { waiting, spareTime: this.#spareTime(pageTurns) }, this.#opened);
  }

  /**
   * Makes replays slow, one step in this many turns, so that much can happen to subscribers that are behind; 0: as fast
   * as ever. A replay that a sabotage keeps from ending does not outlive the server.
   */
  #spareTime(turns: number): SpareTime {
    const start = this.#starts;
    const later = (callback: () => void, left = turns): void => {
      setImmediate(() => {
        if (start !== this.#starts) return;
        if (left <= 1) callback();
        else later(callback, left - 1);
      });
    };
    const head = () => this.#bus.head;
    return new SpareTime(turns === 0 ? { later, head } : { later, head, sliceMs: 0 });
  }

  async #makeTokens(): Promise<void> {
    const scopes = new Set<PatternText>(["*", ...this.#scenario.readers.map(({ scope = "*" }) => scope)]);
    await this.#opened.tokens.create({ ...permissions, name: "root", isAdmin: true });
    for (const [index, scope] of [...scopes].entries()) {
      const spec = { ...permissions, name: `t${index}`, publish: ["*"], subscribe: [scope] };
      this.#secrets.set(scope, (await this.#opened.tokens.create(spec)).secret);
    }
  }

  #authorization(scope: PatternText): Record<string, string> {
    const secret = this.#secrets.get(scope);
    return secret === undefined ? {} : { Authorization: `Bearer ${secret}` };
  }

  #note({ id, topic, json, created_at }: Event): void {
    this.history.set(id, { topic: topic as string as Topic, json, createdMs: Date.parse(created_at) });
  }

  #lastBefore(timeMs: number): number {
    const { head, floor } = this;
    let id = head;
    while (id >= floor && (this.history.get(id)?.createdMs ?? 0) >= timeMs) id--;
    return Math.max(id, floor - 1);
  }

  async #send(via: Via, events: readonly PlannedEvent[]): Promise<Outcome> {
    try {
      const json = await this.#sendBy(via, events);
      if (json === undefined) return "unknown";
      return { acknowledged: json.map((text, index) => ({ token: events[index]?.token ?? 0, json: text })) };
    } catch (error) {
      return error instanceof Error && "code" in error && error.code === "shutting_down" ? "refused" : "unknown";
    }
  }

  /** The events as the answer gives them, or undefined when there was none. */
  async #sendBy(via: Via, events: readonly PlannedEvent[]): Promise<string[] | undefined> {
    const [first] = events;
    const publisher = this.readers.find((reader) => reader.hasFrames);
    if (via === "library") return this.#publishByLibrary(events);
    if (via === "ndjson") return this.#publishLines(events);
    if (first === undefined) return [];
    if (via === "http" || publisher === undefined) {
      return [await this.#post(envelopeOf(first), "application/json")];
    }
    const answer = await publisher.publish(first.topic, dataOf(first));
    return answer === undefined ? undefined : [eventIn(answer)];
  }

  async #publishByLibrary(events: readonly PlannedEvent[]): Promise<string[]> {
    const bus = this.#bus;
    const published = await Promise.all(events.map((event) => bus.publishRaw(event.topic, dataOf(event))));
    return published.map(({ json }) => json);
  }

  async #publishLines(events: readonly PlannedEvent[]): Promise<string[]> {
    const answer = await this.#post(events.map(envelopeOf).join("\n"), "application/x-ndjson");
    const { first_id, count } = JSON.parse(answer) as { first_id: number; count: number };
    if (count !== events.length) throw new Error(`${events.length} events were answered with ${count}`);
    // The answer names only ids: the events are taken from the history, and known by their tokens.
    return events.map((_, index) => this.history.get(first_id + index)?.json ?? "nothing");
  }

  async #post(body: string, type: string): Promise<string> {
    const response = await fetch(`${this.url}/api/events/publish`, {
      method: "POST",
      headers: { "Content-Type": type, ...this.#authorization("*") },
      body,
    });
    const text = await response.text();
    if (response.ok) return text;
    throw Object.assign(new Error(text), { code: (JSON.parse(text) as { code: string }).code });
  }

  async #breachOfAnswers(): Promise<string | undefined> {
    const committed = new Map<number, string>();
    for (const { json } of this.history.values()) {
      const { token } = (JSON.parse(json) as { data: { token?: number } }).data;
      if (token !== undefined && committed.has(token)) return `token ${token} was committed twice`;
      if (token !== undefined) committed.set(token, json);
    }
    for (const { tokens, outcome } of await Promise.all(this.#publishes)) {
      if (outcome === "unknown") continue;
      if (outcome === "refused") {
        if (tokens.some((token) => committed.has(token))) return `refused, and committed all the same: ${tokens}`;
        continue;
      }
      const wrong = outcome.acknowledged.find(({ token, json }) => committed.get(token) !== json);
      if (wrong) return `acknowledged as ${wrong.json}, committed as ${committed.get(wrong.token)}`;
    }
    return undefined;
  }

  /** Everything that was committed, not pruned and may be seen is there, in order, to the letter. */
  async #breachOfHistory(): Promise<string | undefined> {
    for (const scope of new Set<PatternText>(["*", ...this.#secrets.keys()])) {
      const response = await fetch(`${this.url}/api/events/history?after=0&last=10000`, {
        headers: { Accept: "application/x-ndjson", ...this.#authorization(scope) },
      });
      const kept = [...this.history].filter(([id, { topic }]) => id >= this.floor && isIn(scope, topic));
      const told = await response.text();
      if (told !== kept.map(([, { json }]) => `${json}\n`).join("")) {
        return `the history tells who may see ${scope} ${told.slice(0, 1000)}`;
      }
    }
    return undefined;
  }
}

/** Has no room for a reader now and then, so that some leave those with whom they follow. */
class FickleWaiting extends Waiting {
  readonly #random: Random;

  constructor(seed: number) {
    super();
    this.#random = new Random(seed);
  }

  override get limitBytes(): number {
    return this.#random.chance(0.1) ? -1 : super.limitBytes;
  }
}

function isWanted(wanted: ReadonlySet<PatternText>, topic: Topic): boolean {
  return [...wanted].some((pattern) => isIn(pattern, topic));
}

function dataOf({ token, padding }: PlannedEvent): string {
  return `{"token":${token},"exact":1.10,"padding":"${"x".repeat(padding)}"}`;
}

function envelopeOf(event: PlannedEvent): string {
  return `{"topic":"${event.topic}","data":${dataOf(event)}}`;
}

/** The event in the answer to a frame that published it. */
function eventIn(answer: string): string {
  const head = '{"type":"ack","event":';
  return answer.startsWith(head) ? answer.slice(head.length, -1) : answer;
}
