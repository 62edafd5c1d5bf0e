import type { ConsumerInfo, DeadEvent } from "../../../src/protocol/consumer.ts";
import { Endpoint } from "../../helpers/endpoint.ts";
import { expectOk } from "../../helpers/http.ts";
import { startService, type TestService } from "../../helpers/service.ts";
import { TempFolder } from "../../helpers/temp.ts";
import { Random } from "../random.ts";
import { ACK_TIMEOUT_MS, Ledger, MAX_ATTEMPTS } from "./ledger.ts";
import { byCommand, bySdk, overHttp, overWebSocket, POISON, type Work, type Worker } from "./workers.ts";

const WORKERS: readonly Worker[] = [overHttp, overWebSocket, overWebSocket, bySdk];
const TOPICS = ["a", "b", "c", POISON];
const STEPS = 12;
/** Seldom, as each costs the time after which a delivery is taken back. */
const CRASHES = 0.3;

export interface CaseOptions {
  /** Whether the command works, too; it takes a second to start. */
  readonly withCommand?: boolean;
  /** How likely workers crash, as in `Work`. */
  readonly crashes?: number;
  /** Work that has not ended after this time is taken for stuck. */
  readonly patienceMs?: number;
}

/** Runs one case; resolves with what was wrong, if something was. */
export async function runCase(seed: number, options: CaseOptions = {}): Promise<string | undefined> {
  await using world = new World(seed, options);
  return await world.run();
}

/** One history with two consumers: one shared by workers of every transport, one that pushes. */
class World implements AsyncDisposable {
  readonly #random: Random;
  readonly #options: CaseOptions;
  readonly #shared = new Ledger(true);
  readonly #pushed = new Ledger(true);
  readonly #folder = new TempFolder();
  readonly #endpoint = new Endpoint();
  readonly #names: string[] = [];
  #service: TestService | undefined;
  #stopping = new AbortController();
  #working: Promise<void>[] = [];
  #lives = 0;

  constructor(seed: number, options: CaseOptions) {
    this.#random = new Random(seed);
    this.#options = options;
    this.#endpoint.answer = ({ body }) => this.#respond(JSON.parse(body));
  }

  async run(): Promise<string | undefined> {
    await this.#live();
    const settings = { pattern: ["*"], max_attempts: MAX_ATTEMPTS, retry: ["1ms", "10ms"] };
    await this.#call("PUT", "c", { ...settings, ack_timeout: `${ACK_TIMEOUT_MS}ms` });
    const push = { url: this.#endpoint.url, timeout: "200ms" };
    await this.#call("PUT", "p", { ...settings, pattern: ["[a-c]"], push });
    this.#work();
    for (let step = 0; step < STEPS && this.#breach === undefined; step++) await this.#step();
    for (const name of ["c", "p"]) await this.#finish(name);
    return this.#breach;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#working);
    await this.#service?.stop();
    this.#endpoint[Symbol.dispose]();
    this.#folder[Symbol.dispose]();
  }

  get #breach(): string | undefined {
    return this.#shared.breach ?? this.#pushed.breach;
  }

  get #url(): string {
    return this.#service?.url ?? "";
  }

  async #step(): Promise<void> {
    const random = this.#random;
    const kind = random.weighted({ publish: 8, wait: 4, pause: 1, stop: 0.7, kill: 0.7 });
    if (kind === "publish") await this.#publish();
    else if (kind === "wait") await Bun.sleep(random.whole(1, 60));
    else if (kind === "pause") {
      await this.#call("POST", "c/pause");
      await Bun.sleep(random.whole(1, 20));
      await this.#call("POST", "c/resume");
    } else await this.#end(kind);
  }

  async #publish(): Promise<void> {
    const topics = this.#random.list(this.#random.whole(1, 15), () =>
      this.#random.chance(0.03) ? POISON : this.#random.pick(TOPICS.slice(0, 3)),
    );
    const body = topics.map((topic) => JSON.stringify({ topic, data: 1 })).join("\n");
    const headers = { "Content-Type": "application/x-ndjson" };
    const response = await fetch(`${this.#url}/api/events/publish`, { method: "POST", headers, body });
    const { first_id } = await expectOk<{ first_id: number }>(response);
    for (const [index, topic] of topics.entries()) {
      this.#shared.published(first_id + index, topic);
      if (topic !== POISON) this.#pushed.published(first_id + index, topic);
    }
  }

  /** Stops the server, or leaves of it what a kill would; the workers find the next one. */
  async #end(how: "stop" | "kill"): Promise<void> {
    const service = this.#service;
    if (how === "stop") await service?.stop();
    await this.#live();
    this.#shared.killed();
    this.#pushed.killed();
    const working = this.#working;
    this.#stopping.abort();
    this.#stopping = new AbortController();
    this.#work();
    await service?.stop();
    await Promise.all(working);
  }

  async #live(): Promise<void> {
    const path = this.#folder.copyDatabase(this.#folder.file(`${this.#lives}.db`), `${this.#lives + 1}.db`);
    this.#lives++;
    this.#service = await startService({ db: path });
  }

  #work(): void {
    const { signal } = this.#stopping;
    const work: Work = {
      url: this.#url,
      ledger: this.#shared,
      random: this.#random,
      signal,
      crashes: this.#options.crashes ?? CRASHES,
      names: this.#names,
    };
    const workers = this.#options.withCommand ? [...WORKERS, byCommand] : WORKERS;
    this.#working = workers.map(async (worker) => {
      while (!signal.aborted) await worker(work).catch(() => Bun.sleep(1));
    });
  }

  /** What the endpoint answers; noted as a worker would. */
  async #respond(event: { readonly id: number; readonly topic: string }): Promise<Response> {
    const ledger = this.#pushed;
    ledger.begin(event);
    const answer = this.#random.weighted({ ok: 60, error: 3, redirect: 1, garbage: 1, later: 1, gone: 0.3, hang: 0.5 });
    if (answer === "ok") {
      ledger.finish(event.id);
      ledger.unsure(event.id);
      return new Response("fine");
    }
    ledger.release(event.id);
    if (answer === "redirect") return Response.redirect("http://127.0.0.1:1/", 302);
    if (answer === "garbage") return new Response("\u0000{", { status: 404 });
    if (answer === "later") return new Response(null, { status: 429, headers: { "Retry-After": "0" } });
    if (answer === "gone") return new Response(null, { status: 410 });
    if (answer === "hang") await Bun.sleep(400);
    return new Response(null, { status: 500 });
  }

  /** Resolves when nothing is left to do. */
  async #finish(name: string): Promise<void> {
    const ledger = name === "c" ? this.#shared : this.#pushed;
    const endMs = performance.now() + (this.#options.patienceMs ?? 60_000);
    while (this.#breach === undefined) {
      const { lag, paused } = await this.#call<ConsumerInfo>("GET", name);
      if (lag === 0) break;
      // The endpoint was gone.
      if (paused) await this.#call("POST", `${name}/resume`);
      if (performance.now() > endMs) ledger.stuck();
      await Bun.sleep(10);
    }
    const dead = await this.#call<DeadEvent[]>("GET", `${name}/dead?limit=1000`);
    ledger.end(dead);
  }

  #call<T>(method: string, path: string, body?: object): Promise<T> {
    const init = { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
    return fetch(`${this.#url}/api/consumers/${path}`, init).then((response) => response.json() as Promise<T>);
  }
}
