/** The members of an object in an entry. Throws if it is not one. */
export function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) throw new Error("a part of it is not an object");
  return value as Readonly<Record<string, unknown>>;
}

/** Throws if it is not a string. */
export function textOf(value: unknown): string {
  if (typeof value !== "string") throw new Error("a part of it is not a string");
  return value;
}

/** Throws if it is not a list of strings. */
export function textsOf(value: unknown): string[] {
  return listOf(value).map(textOf);
}

/** Throws if it is not a list. */
export function listOf(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new Error("a part of it is not a list");
  return value;
}

/** Throws if it is not a whole number that is exact. */
export function wholeOf(value: unknown): number {
  if (!Number.isSafeInteger(value)) throw new Error("a part of it is not a whole number");
  return value as number;
}
