import { findBreach } from "./check.ts";
import { type Ending, type Line, openLine, type Request } from "./line.ts";
import type { Item, Session, Wish } from "./record.ts";
import type { PatternText, ReaderPlan } from "./scenario.ts";
import type { World } from "./world.ts";

/** A subscriber through all of its connections: what it asks for, and what it received. */
export class Reader {
  readonly #plan: ReaderPlan;
  readonly #world: World;
  readonly #sessions: Session[] = [];
  readonly #endings: { how: Ending; isExpected: boolean }[] = [];
  readonly #wanted: Set<PatternText>;
  #session: Session | undefined;
  #line: Line | undefined;
  /** The last event it got; of server-sent events, the last id. */
  #lastId: number | undefined;
  #asked: ((answer: string | undefined) => void)[] = [];
  #isStopping = false;
  #onChange = () => {};

  constructor(plan: ReaderPlan, world: World) {
    this.#plan = plan;
    this.#world = world;
    this.#wanted = new Set(plan.patterns);
  }

  get #scope(): PatternText {
    return this.#plan.scope ?? "*";
  }

  get isConnected(): boolean {
    return this.#line !== undefined;
  }

  get wasConnected(): boolean {
    return this.#sessions.length > 0;
  }

  get hasFrames(): boolean {
    return this.#line?.send !== undefined;
  }

  /** Connects for the first time, or again, and then goes on after the last event that it got. */
  connect(): void {
    if (this.#line !== undefined) return;
    if (this.#wanted.size === 0) this.#wanted.add("none");
    const request: Request =
      this.#lastId === undefined ? this.#world.request(this.#plan.start) : { kind: "after", id: this.#lastId };
    const patterns = [...this.#wanted];
    const session = this.#begin(request);
    this.#line = openLine(
      {
        url: this.#world.url,
        bus: this.#world.bus,
        plan: this.#plan,
        patterns,
        request,
        secret: this.#world.secretOf(this.#plan.scope),
      },
      {
        opened: () => {
          session.start.high = this.#world.positionOf(request, new Set(patterns), this.#scope);
          this.#onChange();
        },
        event: (id, text) => this.#add(session, { kind: "event", id, text }),
        control: (message) =>
          this.#add(
            session,
            message.type === "gap"
              ? { kind: "gap", after: message.after, next: message.next, floor: this.#world.floor }
              : { kind: "caught_up", id: message.id },
          ),
        passed: (id) => this.#add(session, { kind: "passed", id }),
        answer: (text) => {
          this.#asked.shift()?.(text);
          this.#onChange();
        },
        ended: (how) => this.#ended(session, how),
      },
    );
  }

  pause(): void {
    this.#line?.pause();
  }

  resume(): void {
    this.#line?.resume();
  }

  /** Leaves without notice. */
  leave(): void {
    const line = this.#line;
    this.#line = undefined;
    this.#session = undefined;
    line?.close();
    this.#forgetAsked();
  }

  /** Changes what it wants by a frame; does nothing without a WebSocket. */
  change(type: "subscribe" | "unsubscribe", pattern: PatternText): void {
    const session = this.#session;
    if (!this.hasFrames || session === undefined) return;
    if (type === "subscribe") this.#subscribe(session, pattern);
    else this.#unsubscribe(session, pattern);
  }

  /** Publishes by a frame; resolves with the answer, or undefined when the connection ended before it. */
  publish(topic: string, data: string): Promise<string | undefined> {
    return this.#ask(`{"type":"publish","topic":${JSON.stringify(topic)},"data":${data}}`);
  }

  /** The server is about to stop: the end of the connection must say so. */
  expectStop(): void {
    this.#isStopping = true;
  }

  /** Resolves when the server has taken its connection and answered all that it asked for. */
  untilAnswered(): Promise<void> {
    return this.#until(() => this.#session?.start.high !== Number.POSITIVE_INFINITY && this.#asked.length === 0);
  }

  /** Resolves when it has everything published that it should get. */
  async untilDrained(): Promise<void> {
    const newest = this.#world.newestOf(this.#wanted, this.#scope);
    const session = this.#session;
    if (session === undefined) throw new Error("it is not connected");
    await this.#until(() => {
      const isCaughtUp = !session.isReplay || session.items.some(({ kind }) => kind === "caught_up");
      return (
        isCaughtUp &&
        (newest === undefined || session.items.some((item) => item.kind === "event" && item.id === newest))
      );
    });
    session.isDrained = true;
  }

  /** Resolves when its connection has ended. */
  untilEnded(): Promise<void> {
    return this.#until(() => this.#line === undefined);
  }

  /** The first thing that is wrong with what it received. */
  breach(): string | undefined {
    for (const [index, session] of this.#sessions.entries()) {
      const breach = findBreach(session, this.#world.history);
      if (breach !== undefined) return `connection ${index} ${this.#describe(session)}: ${breach}`;
    }
    const wrongEnd = this.#endings.find(({ how, isExpected }) => how !== "restart" || !isExpected);
    return wrongEnd && `the server ended a connection: ${JSON.stringify(wrongEnd)}`;
  }

  toString(): string {
    return this.#session === undefined ? "not connected" : this.#describe(this.#session);
  }

  #describe({ start, wishes, items }: Session): string {
    const told = items.filter((item, index) => item.kind !== "passed" || items[index + 1]?.kind !== "passed");
    const short = told.map((item) => (item.kind === "event" ? item.id : item));
    return JSON.stringify({ transport: this.#plan.transport, scope: this.#plan.scope, start, wishes, items: short });
  }

  #begin(request: Request): Session {
    const low = this.#world.positionOf(request, this.#wanted, this.#scope);
    const session: Session = {
      items: [],
      scope: this.#scope,
      wishes: [...this.#wanted].map((pattern) => ({ pattern, notUpTo: 0, surelyAfter: 0 })),
      start: { gapLow: request.kind === "last" ? this.#world.floor - 1 : low, low, high: Number.POSITIVE_INFINITY },
      isReplay: request.kind !== "live",
      isDrained: false,
    };
    this.#sessions.push(session);
    this.#session = session;
    this.#isStopping = false;
    return session;
  }

  #add(session: Session, item: Item): void {
    if (session !== this.#session) return;
    session.items.push(item);
    if (item.kind === "event" || item.kind === "passed") this.#lastId = item.id;
    this.#onChange();
  }

  #ended(session: Session, how: Ending): void {
    if (session !== this.#session) return;
    // A reader that was not connected yet when the server stopped has lost nothing.
    if (session.start.high !== Number.POSITIVE_INFINITY) this.#endings.push({ how, isExpected: this.#isStopping });
    this.#line = undefined;
    this.#session = undefined;
    this.#forgetAsked();
  }

  #forgetAsked(): void {
    for (const answer of this.#asked.splice(0)) answer(undefined);
    this.#onChange();
  }

  #subscribe(session: Session, pattern: PatternText): void {
    const isNew = !this.#wanted.has(pattern);
    const wish: Wish = { pattern, notUpTo: this.#world.head, surelyAfter: Number.POSITIVE_INFINITY };
    if (isNew) session.wishes.push(wish);
    this.#wanted.add(pattern);
    void this.#ask(`{"type":"subscribe","pattern":${JSON.stringify(pattern)}}`, () => {
      wish.surelyAfter = this.#world.head;
    });
  }

  #unsubscribe(session: Session, pattern: PatternText): void {
    const wish = session.wishes.findLast((one) => one.pattern === pattern && one.endAsked === undefined);
    if (wish) wish.endAsked = session.items.length;
    this.#wanted.delete(pattern);
    void this.#ask(`{"type":"unsubscribe","pattern":${JSON.stringify(pattern)}}`, () => {
      if (wish) wish.endAnswered = session.items.length;
    });
  }

  #ask(frame: string, onAnswer = () => {}): Promise<string | undefined> {
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    this.#asked.push((answer) => {
      if (answer !== undefined) onAnswer();
      resolve(answer);
    });
    this.#line?.send?.(frame);
    return promise;
  }

  #until(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#onChange = () => {
        if (!holds()) return;
        this.#onChange = () => {};
        resolve();
      };
      this.#onChange();
    });
  }
}
