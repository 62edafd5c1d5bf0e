import type { Context } from "./bench.ts";
import { Neighbours, NOISY_CORES } from "./neighbours.ts";
import type { Server } from "./server.ts";
import { median } from "./stats.ts";
import { show } from "./verdict.ts";

/** From this share of its core on, the generator may be what limits a figure. */
const AT_LIMIT = 0.95;

/** Measures the variants in turn, round after round, so that a machine which drifts does so for all of them. */
export async function takeTurns<T extends Record<string, unknown>>(
  { rounds, tries, progress }: Context,
  variants: { readonly [K in keyof T]: () => Promise<T[K]> },
): Promise<{ readonly [K in keyof T]: readonly T[K][] }> {
  const names: (keyof T & string)[] = Object.keys(variants);
  const results = Object.fromEntries(names.map((name) => [name, []])) as unknown as { [K in keyof T]: T[K][] };
  for (let round = 1; round <= rounds; round++) {
    for (const name of names) {
      const step = `round ${round} of ${rounds}, ${name}`;
      progress.step(step);
      results[name].push(await undisturbed(variants[name], tries, (again) => progress.step(`${step}, ${again}`)));
    }
  }
  return results;
}

/**
 * Measures, and measures again when others used the machine meanwhile, however good or bad the figure was. The last try
 * counts in any case, so that a machine that is never quiet has figures too.
 */
async function undisturbed<T>(measure: () => Promise<T>, maxTries: number, onAgain: (why: string) => void): Promise<T> {
  for (let tries = 1; ; tries++) {
    const neighbours = new Neighbours();
    const result = await measure();
    const { cores } = neighbours;
    if (cores <= NOISY_CORES || tries >= maxTries) return result;
    onAgain(`again, as others used ${cores} cores`);
  }
}

/** Does the work with a server or program, and ends it whatever happens. An error says what was wrong with it, too. */
export async function using<R extends { stop(): Promise<void>; readonly lastWords?: string }, T>(
  opening: R | Promise<R>,
  work: (resource: R) => Promise<T>,
): Promise<T> {
  const resource = await opening;
  try {
    return await work(resource);
  } catch (error) {
    const words = resource.lastWords ?? "";
    throw words === ""
      ? error
      : new Error(`${error instanceof Error ? error.message : error} (${words})`, { cause: error });
  } finally {
    await resource.stop();
  }
}

/** The share of its core that the server uses in the inner part of the window, which begins after the warm-up. */
export async function serverBusy(server: Server, { warmupSeconds, windowSeconds }: Context): Promise<number> {
  await Bun.sleep((warmupSeconds + windowSeconds * 0.3) * 1000);
  const startMs = performance.now();
  const startCpu = server.cpuSeconds();
  await Bun.sleep(windowSeconds * 0.5 * 1000);
  return ((server.cpuSeconds() - startCpu) / (performance.now() - startMs)) * 1000;
}

/** How busy both ends were. */
export interface Busy {
  readonly serverBusy: number;
  readonly generatorBusy: number;
}

/** What one measurement of a throughput found. */
export interface Throughput extends Busy {
  readonly eventsPerSecond: number;
}

/** How busy both ends were, in words, and what the server did meanwhile, if that was counted. */
export function busyNote(name: string, rounds: readonly (Busy | Throughput)[]): string {
  const server = median(rounds.map((round) => round.serverBusy));
  const generator = median(rounds.map((round) => round.generatorBusy));
  const limit = generator > AT_LIMIT ? ", which was its limit" : "";
  return `${name}: server ${percent(server)} of its core${workNote(rounds)}, generator ${percent(generator)}${limit}`;
}

/** What a server did in a second of its processor time: it can be compared when others take a part of its core, too. */
function workNote(rounds: readonly (Busy | Throughput)[]): string {
  const counted = rounds.filter((round): round is Throughput => "eventsPerSecond" in round);
  if (counted.length === 0) return "";
  return ` (${show(median(counted.map((round) => round.eventsPerSecond / round.serverBusy)))} in a second of it)`;
}

export function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
