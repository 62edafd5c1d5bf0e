import type { Tuning } from "../../src/bus/tuning.ts";
import { Random } from "./random.ts";

/** The topics there are, and which of them each pattern matches: written out, so that the model trusts no matcher. */
export const topics = ["a.x", "a.y", "b.x", "b.y", "c"] as const;
export type Topic = (typeof topics)[number];
export const patterns = {
  "*": topics,
  "a.*": ["a.x", "a.y"],
  "b.*": ["b.x", "b.y"],
  "*.x": ["a.x", "b.x"],
  "{a,b}.y": ["a.y", "b.y"],
  "?": ["c"],
  "[^a-b]*": ["c"],
  "a.x": ["a.x"],
  "b.y": ["b.y"],
  none: [],
} as const satisfies Record<string, readonly Topic[]>;
export type PatternText = keyof typeof patterns;
const patternTexts = Object.keys(patterns) as PatternText[];

export type Transport = "websocket" | "sse" | "lines" | "library";
export type Via = "http" | "ndjson" | "frame" | "library";

/** Where a subscriber starts the first time. Durations and times are by the model's own clock. */
export type StartPlan =
  | { readonly kind: "live" | "now" | "all" }
  /** After an id: this part of the way from 0 to the newest one. Beyond it `since` is rejected. */
  | { readonly kind: "after"; readonly part: number }
  /** At the time of an event: this part of the way from the oldest to the newest one. */
  | { readonly kind: "time"; readonly part: number }
  | { readonly kind: "ago"; readonly seconds: number }
  | { readonly kind: "last"; readonly count: number };

export interface PlannedEvent {
  readonly topic: Topic;
  /** What makes the event known again, whoever publishes it. */
  readonly token: number;
  /** Letters that make it larger. */
  readonly padding: number;
}

export type Step =
  | { readonly do: "publish"; readonly via: Via; readonly events: readonly PlannedEvent[] }
  | { readonly do: "connect"; readonly reader: number }
  | { readonly do: "pause" | "resume" | "leave"; readonly reader: number }
  | { readonly do: "subscribe" | "unsubscribe"; readonly reader: number; readonly pattern: PatternText }
  | { readonly do: "prune" | "restart" }
  | { readonly do: "turns"; readonly count: number };

export interface ReaderPlan {
  readonly transport: Transport;
  readonly patterns: readonly PatternText[];
  readonly start: StartPlan;
  /** How a stream says on reconnecting what it got last. */
  readonly resumesBy: "header" | "last_event_id" | "since";
  /** What its token may see; undefined when the bus is open to all. */
  readonly scope: PatternText | undefined;
}

type UnscopedPlan = Omit<ReaderPlan, "scope">;

/** Makes other random numbers of a seed for the tokens, so that they change nothing else about its scenario. */
const SCOPES = 0x5c09e;

/** One case, whole: what happens is said here, and only when exactly is left to the machine. */
export interface Scenario {
  readonly seed: number;
  readonly tuning: Partial<Tuning>;
  /** Turns of the loop before each page of a replay over the network; 0: as the server sees fit. */
  readonly pageTurns: number;
  readonly maxHistory: number;
  readonly readers: readonly ReaderPlan[];
  readonly steps: readonly Step[];
}

/** The scenario of a seed, always the same one. */
export function scenarioOf(seed: number): Scenario {
  const random = new Random(seed);
  // Now and then events are so large that the kernels' buffers fill up, and a paused reader really stops its sender.
  const isHeavy = random.chance(0.04);
  const isCrowded = random.chance(0.1);
  const plans = isCrowded ? crowd(random) : random.list(random.whole(1, 4), () => readerPlan(random));
  const readers = scoped(new Random(seed ^ SCOPES), plans);
  let token = 0;
  const event = (): PlannedEvent => ({
    topic: random.pick(topics),
    token: ++token,
    padding: isHeavy ? random.whole(20_000, 200_000) : random.chance(0.1) ? random.whole(100, 3000) : 0,
  });
  return {
    seed,
    tuning: tuningOf(random),
    pageTurns: random.pick([0, 1, 2, 5]),
    maxHistory: random.pick([1, 3, 10, 30, 100_000]),
    readers,
    steps: [
      ...(isCrowded ? random.list(random.whole(1, 4), () => publishStep(random, event, "ndjson")) : []),
      ...readers.flatMap((_, reader): Step[] => (random.chance(0.7) ? [{ do: "connect", reader }] : [])),
      ...random.list(random.whole(5, 30), () => someSteps(random, readers, event, isCrowded)).flat(),
    ],
  };
}

/** Small enough, mostly, that every reader falls behind and catches up all the time. */
function tuningOf(random: Random): Partial<Tuning> {
  if (random.chance(0.1)) return { keepAliveMs: random.whole(1, 20) };
  return {
    pageEvents: random.pick([1, 2, 3, 10, 100]),
    maxWaitingEvents: random.pick([1, 2, 5, 20]),
    maxWaitingBytes: random.pick([0, 0, 100, 500, 5000]),
    checkCharacters: random.pick([1, 150, 1000]),
    resumeBytes: random.pick([0, 100, 100_000]),
    keepAliveMs: random.whole(1, 20),
  };
}

/** In some cases all readers have a token, most of them a limited one; not the library, which has no tokens. */
function scoped(random: Random, plans: readonly UnscopedPlan[]): ReaderPlan[] {
  const isGuarded = random.chance(0.3);
  const scope = () => (random.chance(0.7) ? random.pick(patternTexts) : "*");
  return plans.map((plan) => {
    if (!isGuarded) return { ...plan, scope: undefined };
    return { ...plan, scope: plan.transport === "library" ? "*" : scope() };
  });
}

/** Many readers that want the same and start at different places, so that they meet and part; now and then hundreds. */
function crowd(random: Random): UnscopedPlan[] {
  const wishes = random.list(random.whole(1, 2), () => readerPlan(random));
  const count = random.chance(0.02) ? random.whole(100, 300) : random.whole(5, 25);
  return random.list(count, () => ({ ...random.pick(wishes), start: startPlan(random, CROWD_STARTS) }));
}

function readerPlan(random: Random): UnscopedPlan {
  return {
    transport: random.weighted({ websocket: 4, sse: 2, lines: 2, library: 2 }),
    patterns: random.list(random.pick([1, 1, 2, 3]), () => random.pick(patternTexts)),
    start: startPlan(random),
    resumesBy: random.pick(["header", "last_event_id", "since"] as const),
  };
}

const STARTS = { live: 3, now: 1, all: 2, after: 2, time: 1, ago: 1, last: 2 };
const CROWD_STARTS = { ...STARTS, after: 12 };

function startPlan(random: Random, starts = STARTS): StartPlan {
  const kind = random.weighted(starts);
  if (kind === "after") return { kind, part: Math.min(1, random.fraction() * 1.1) };
  if (kind === "time") return { kind, part: random.fraction() };
  if (kind === "ago") return { kind, seconds: random.whole(0, 20) };
  if (kind === "last") return { kind, count: random.pick([1, 2, 5, 20, 1000]) };
  return { kind };
}

/** A step, or some that belong together. */
function someSteps(
  random: Random,
  readers: readonly ReaderPlan[],
  event: () => PlannedEvent,
  isCrowded: boolean,
): Step[] {
  const kind = random.weighted({
    publish: 9,
    connect: 3,
    turns: 4,
    pause: 1,
    resume: 1,
    leave: 1,
    absence: 2,
    subscribe: 2.5,
    unsubscribe: 1.5,
    prune: 2,
    restart: isCrowded ? 1 : 0.12,
  });
  const reader = random.whole(0, readers.length - 1);
  switch (kind) {
    case "publish":
      return [publishStep(random, event)];
    case "turns":
      return [turnsStep(random)];
    case "absence":
      return absence(random, reader, event);
    case "subscribe":
    case "unsubscribe":
      return patternSteps(random, kind, readers, event);
    case "prune":
      return [{ do: kind }];
    case "restart":
      // Under load: all readers resume while events come.
      return [
        publishStep(random, event),
        { do: kind },
        publishStep(random, event),
        publishStep(random, event, "ndjson"),
      ];
    default:
      return [{ do: kind, reader }];
  }
}

/** Only a WebSocket can change what it wants. Events come before and after. */
function patternSteps(
  random: Random,
  kind: "subscribe" | "unsubscribe",
  readers: readonly ReaderPlan[],
  event: () => PlannedEvent,
): Step[] {
  const sockets = readers.flatMap(({ transport }, index) => (transport === "websocket" ? [index] : []));
  if (sockets.length === 0) return [publishStep(random, event)];
  const reader = random.pick(sockets);
  const known = readers[reader]?.patterns ?? patternTexts;
  const others = patternTexts.filter((pattern) => !known.includes(pattern));
  const pattern = random.pick(random.chance(0.8) === (kind === "subscribe") ? others : known);
  // Often while it is behind, as it was away for many events.
  const before: Step[] = random.chance(0.5)
    ? [{ do: "leave", reader }, publishStep(random, event, "ndjson"), turnsStep(random), { do: "connect", reader }]
    : [publishStep(random, event), turnsStep(random)];
  return [...before, { do: kind, reader, pattern }, turnsStep(random), publishStep(random, event)];
}

/** A reader is away, or does not read, while events come and retention goes on. */
function absence(random: Random, reader: number, event: () => PlannedEvent): Step[] {
  const isPause = random.chance(0.5);
  return [
    { do: isPause ? "pause" : "leave", reader },
    publishStep(random, event),
    turnsStep(random),
    { do: "prune" },
    turnsStep(random),
    { do: isPause ? "resume" : "connect", reader },
  ];
}

function publishStep(
  random: Random,
  event: () => PlannedEvent,
  via: Via = random.weighted({ http: 2, ndjson: 2, frame: 2, library: 3 }),
): Step {
  const count = via === "ndjson" ? random.whole(1, 30) : via === "library" ? random.whole(1, 10) : 1;
  return { do: "publish", via, events: random.list(count, event) };
}

function turnsStep(random: Random): Step {
  return { do: "turns", count: random.whole(1, 8) };
}
