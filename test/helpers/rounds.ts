/** A run by hand is long, and one in CI short. `EVENTBUS_FAULTS=long` chooses the first. */
export const IS_LONG = process.env["EVENTBUS_FAULTS"] === "long";
/** Chooses everything that is random; `EVENTBUS_TEST_SEED` repeats a run. */
export const SEED = Number(process.env["EVENTBUS_TEST_SEED"] ?? Math.floor(Math.random() * 2 ** 31));

/** How often to do something: in a short run, and in a long one. */
export function rounds(short: number, long: number): number {
  return Number(process.env["EVENTBUS_FAULTS_ROUNDS"] ?? (IS_LONG ? long : short));
}

/** Prints the result of a harness, with what repeats it. */
export function report(harness: string, figures: Readonly<Record<string, number | string>>): void {
  const words = Object.entries(figures).map(([name, value]) => `${value} ${name}`);
  console.log(`${harness}: ${words.join(", ")} (EVENTBUS_TEST_SEED=${SEED})`);
}
