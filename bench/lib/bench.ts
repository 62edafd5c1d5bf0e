import type { Progress } from "./progress.ts";

/** What every bench gets. */
export interface Context {
  /** The compiled program under test. */
  readonly binary: string;
  /** A folder of this run, on the disk that is measured. Emptied at the end. */
  readonly folder: string;
  /** Where prepared histories stay between runs. */
  readonly histories: string;
  /** Rounds of each row; control and ours take turns. */
  readonly rounds: number;
  /** How often, at most, a measurement is taken while others disturb it. */
  readonly tries: number;
  /** What one round of a throughput measures, after a warm-up. */
  readonly windowSeconds: number;
  readonly warmupSeconds: number;
  /** Short windows and small histories: shows that the benches work, not how fast the program is. */
  readonly isQuick: boolean;
  readonly progress: Progress;
}

/** One measured thing and what it is compared with. */
export interface Row {
  readonly name: string;
  readonly unit: string;
  /** One number a round. */
  readonly values: readonly number[];
  readonly control?: { readonly name: string; readonly values: readonly number[] };
  readonly target?: Target;
  /** What else a reader must know to judge the number. */
  readonly notes: readonly string[];
  /** Single measurements, for a histogram: ours, and the control's by its name. */
  readonly timesMs?: Readonly<Record<string, readonly number[]>>;
}

/**
 * The bound on the median of the rounds; on its ratio to the control's median; or on the excess of the worst round over
 * the control's worst.
 */
export interface Target {
  readonly of: "value" | "ratio" | "excess";
  readonly is: "at least" | "at most";
  readonly bound: number;
}

export interface Bench {
  readonly name: string;
  readonly title: string;
  /** What is measured, how, and what the control is: a paragraph of the report. */
  readonly about: string;
  run(context: Context): Promise<readonly Row[]>;
}

/** Thrown by a bench that cannot run here; the message says why. It is no failure. */
export class Skipped extends Error {}
