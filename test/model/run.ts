import { Bus } from "../../src/bus/bus.ts";
import { type Scenario, type Step, scenarioOf } from "./scenario.ts";
import { type MakeBus, World } from "./world.ts";

/** How long a subscriber is waited for that does not get what it must. Not a promise of the product. */
const PATIENCE_MS = 20_000;

export interface RunOptions {
  /** Default: the bus as it is. */
  readonly makeBus?: MakeBus;
  readonly patienceMs?: number;
}

export interface Failure {
  readonly seed: number;
  readonly breach: string;
  readonly scenario: Scenario;
}

/** Plays the scenario of a seed against a real server; resolves with what broke the promise, if anything did. */
async function runCase(seed: number, options: RunOptions): Promise<Failure | undefined> {
  const scenario = scenarioOf(seed);
  try {
    const breach = await playAll(scenario, options);
    return breach === undefined ? undefined : { seed, breach, scenario };
  } catch (error) {
    const breach = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { seed, breach, scenario };
  }
}

async function playAll(scenario: Scenario, options: RunOptions): Promise<string | undefined> {
  const { makeBus = (log, busOptions) => new Bus(log, busOptions), patienceMs = PATIENCE_MS } = options;
  await using world = new World(scenario, makeBus);
  await world.prepare();
  for (const step of scenario.steps) await play(step, world);
  return (await drain(world, patienceMs)) ?? breachOf(world) ?? (await world.breach());
}

/** Runs cases, several at a time, until one fails or all are done. */
export async function runCases(
  firstSeed: number,
  count: number,
  {
    onDone = () => {},
    parallel = 6,
    ...options
  }: RunOptions & { onDone?: (done: number) => void; parallel?: number } = {},
): Promise<Failure | undefined> {
  let failure: Failure | undefined;
  let started = 0;
  let done = 0;
  const work = async () => {
    while (started < count && failure === undefined) {
      failure ??= await runCase(firstSeed + started++, options);
      onDone(++done);
    }
  };
  await Promise.all(Array.from({ length: parallel }, work));
  return failure;
}

async function play(step: Step, world: World): Promise<void> {
  switch (step.do) {
    case "publish":
      return world.publish(step.via, step.events);
    case "prune":
      return world.prune();
    case "restart":
      return world.restart();
    case "turns":
      return turns(step.count);
  }
  const reader = world.readers[step.reader];
  if (step.do === "subscribe" || step.do === "unsubscribe") reader?.change(step.do, step.pattern);
  else reader?.[step.do]();
}

/** Lets every reader read until all that was published has come. Returns which ones wait in vain. */
async function drain(world: World, patienceMs: number): Promise<string | undefined> {
  const readers = world.readers.filter((reader) => reader.wasConnected);
  for (const reader of readers) {
    reader.resume();
    reader.connect();
  }
  const everything = async () => {
    await world.settle();
    await Promise.all(readers.map((reader) => reader.untilAnswered()));
    await world.publishLast();
    await Promise.all(readers.map((reader) => reader.untilDrained()));
    await turns(3);
    return true;
  };
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), patienceMs);
  });
  const isDone = await Promise.race([everything(), late]);
  clearTimeout(timer);
  return isDone
    ? undefined
    : (breachOf(world) ?? `a subscriber waits in vain: ${world.readers.map(String).join("; ")}`);
}

function breachOf(world: World): string | undefined {
  for (const [index, reader] of world.readers.entries()) {
    const breach = reader.breach();
    if (breach !== undefined) return `subscriber ${index}, ${breach}`;
  }
  return undefined;
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}
