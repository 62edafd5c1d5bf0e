import type { Context } from "./bench.ts";
import type { Server } from "./server.ts";
import { median } from "./stats.ts";

/** From this share of its core on, the generator may be what limits a figure. */
const AT_LIMIT = 0.95;

/** Measures the variants in turn, round after round, so that a machine which drifts does so for all of them. */
export async function takeTurns<T extends Record<string, unknown>>(
  { rounds, progress }: Context,
  variants: { readonly [K in keyof T]: () => Promise<T[K]> },
): Promise<{ readonly [K in keyof T]: readonly T[K][] }> {
  const names: (keyof T & string)[] = Object.keys(variants);
  const results = Object.fromEntries(names.map((name) => [name, []])) as unknown as { [K in keyof T]: T[K][] };
  for (let round = 1; round <= rounds; round++) {
    for (const name of names) {
      progress.step(`round ${round} of ${rounds}, ${name}`);
      results[name].push(await variants[name]());
    }
  }
  return results;
}

/** Does the work with a server or program, and ends it whatever comes. */
export async function using<R extends { stop(): Promise<void> }, T>(
  opening: R | Promise<R>,
  work: (resource: R) => Promise<T>,
): Promise<T> {
  const resource = await opening;
  try {
    return await work(resource);
  } finally {
    await resource.stop();
  }
}

/** The share of its core that the server uses in the inner part of a window that begins after so many seconds. */
export async function serverBusy(server: Server, { warmupSeconds, windowSeconds }: Context): Promise<number> {
  await Bun.sleep((warmupSeconds + windowSeconds * 0.3) * 1000);
  const startMs = performance.now();
  const startCpu = server.cpuSeconds();
  await Bun.sleep(windowSeconds * 0.5 * 1000);
  return ((server.cpuSeconds() - startCpu) / (performance.now() - startMs)) * 1000;
}

export interface Busy {
  readonly serverBusy: number;
  readonly generatorBusy: number;
}

/** How busy both ends were, as words. */
export function busyNote(name: string, rounds: readonly Busy[]): string {
  const server = median(rounds.map((round) => round.serverBusy));
  const generator = median(rounds.map((round) => round.generatorBusy));
  const limit = generator > AT_LIMIT ? ", which was its limit" : "";
  return `${name}: server ${percent(server)} of its core, generator ${percent(generator)}${limit}`;
}

export function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
