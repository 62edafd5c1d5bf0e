import type { Bus } from "../../src/bus/bus.ts";
import type { ControlMessage } from "../../src/protocol/frames.ts";
import { RawStream, type StreamPart } from "../helpers/raw-stream.ts";
import { RawWebSocket } from "../helpers/raw-web-socket.ts";
import type { PatternText, ReaderPlan } from "./scenario.ts";

/** Where a connection asks to start. */
export type Request =
  | { readonly kind: "live" | "now" | "all" }
  | { readonly kind: "after"; readonly id: number }
  | { readonly kind: "time"; readonly timeMs: number }
  | { readonly kind: "ago"; readonly seconds: number }
  | { readonly kind: "last"; readonly count: number };

/** How the connection of a subscriber ended. `restart`: with the message of a server that stops. */
export type Ending = "restart" | "otherwise";

/** What a connection reports to the model. */
export interface Listener {
  opened(): void;
  event(id: number, text: string): void;
  control(message: ControlMessage): void;
  passed(id: number): void;
  /** The answer to a frame. */
  answer(text: string): void;
  ended(how: Ending): void;
}

/** An open connection of a subscriber, whatever its transport. */
export interface Line {
  pause(): void;
  resume(): void;
  close(): void;
  /** WebSockets only. */
  send?(frame: string): void;
}

export interface LineOptions {
  readonly url: string;
  readonly bus: Bus;
  readonly plan: ReaderPlan;
  readonly patterns: readonly PatternText[];
  readonly request: Request;
  /** Of its token, if it has one. */
  readonly secret: string | undefined;
}

export function openLine(options: LineOptions, listener: Listener): Line {
  switch (options.plan.transport) {
    case "websocket":
      return openWebSocket(options, listener);
    case "library":
      return openLoop(options, listener);
    default:
      return openStream(options, listener);
  }
}

function openWebSocket({ url, patterns, request, secret }: LineOptions, listener: Listener): Line {
  let ending: Ending = "otherwise";
  const socket = new RawWebSocket(url, queryOf(patterns, request, secret), {
    opened: ({ status }) => {
      if (status === 101) listener.opened();
    },
    text: (text) => tell(text, listener),
    closing: (code) => {
      if (code === 1012) ending = "restart";
    },
    closed: () => listener.ended(ending),
  });
  return {
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    close: () => socket.terminate(),
    send: (frame) => socket.send(frame),
  };
}

function openStream({ url, patterns, request, plan, secret }: LineOptions, listener: Listener): Line {
  const isLines = plan.transport === "lines";
  const resumes = request.kind === "after" ? plan.resumesBy : "since";
  const query = queryOf(patterns, resumes === "since" ? request : { kind: "live" }, secret);
  const id = request.kind === "after" ? request.id : 0;
  let saidBye = isLines;
  const part = ({ text, fields }: StreamPart) => {
    if (fields.event === "bye") saidBye = true;
    else if (fields.data !== undefined) tell(fields.data, listener);
    else if (isLines && text !== "") tell(text, listener);
    else if (fields.id !== undefined) listener.passed(Number(fields.id));
  };
  const stream = new RawStream(
    url,
    {
      isLines,
      query: resumes === "last_event_id" ? `${query}&last_event_id=${id}` : query,
      headers: resumes === "header" ? [`Last-Event-ID: ${id}`] : [],
    },
    {
      opened: ({ status }) => {
        if (status === 200) listener.opened();
      },
      part,
      closed: (isWhole) => listener.ended(isWhole && saidBye ? "restart" : "otherwise"),
    },
  );
  return { pause: () => stream.pause(), resume: () => stream.resume(), close: () => stream.terminate() };
}

function openLoop({ bus, patterns, request }: LineOptions, listener: Listener): Line {
  const subscriber = bus.subscribe(patterns, {
    ...optionsOf(request),
    onControl: (message) => listener.control(message),
  });
  listener.opened();
  let gate = Promise.withResolvers<void>();
  gate.resolve();
  let isLeft = false;
  void (async () => {
    for await (const event of subscriber) {
      await gate.promise;
      if (isLeft) break;
      listener.event(event.id, event.json);
    }
    listener.ended(isLeft ? "otherwise" : "restart");
  })();
  return {
    pause: () => {
      gate.resolve();
      gate = Promise.withResolvers();
    },
    resume: () => gate.resolve(),
    close: () => {
      isLeft = true;
      gate.resolve();
      bus.unsubscribe(subscriber);
    },
  };
}

/** Reports a frame, a line or the data of an event by its kind. */
function tell(text: string, listener: Listener): void {
  const said = JSON.parse(text) as { type?: string; id: number };
  if (said.type === undefined) listener.event(said.id, text);
  else if (said.type === "gap" || said.type === "caught_up") listener.control(said as unknown as ControlMessage);
  else listener.answer(text);
}

function queryOf(patterns: readonly PatternText[], request: Request, secret: string | undefined): string {
  const query = new URLSearchParams(patterns.map((pattern) => ["pattern", pattern]));
  const { since, last } = optionsOf(request);
  if (since !== undefined) query.set("since", since);
  if (last !== undefined) query.set("last", String(last));
  if (secret !== undefined) query.set("access_token", secret);
  return query.toString();
}

function optionsOf(request: Request): { since?: string; last?: number } {
  switch (request.kind) {
    case "live":
      return {};
    case "last":
      return { last: request.count };
    case "after":
      return { since: String(request.id) };
    case "time":
      return { since: new Date(request.timeMs).toISOString() };
    case "ago":
      return { since: `${request.seconds}s` };
    default:
      return { since: request.kind };
  }
}
