import { DEADLINE_MS } from "./deadline.ts";

/** What has come and was not taken yet, in order, so that a test waits for a thing and never for a time. */
export class Inbox<T> {
  readonly #items: T[] = [];
  readonly #takers: { take: (item: T) => void; fail: (error: Error) => void }[] = [];
  #end: Error | undefined;

  push(item: T): void {
    const taker = this.#takers.shift();
    if (taker) taker.take(item);
    else this.#items.push(item);
  }

  /** Nothing more will come: whatever waits rejects with the reason. */
  close(reason: Error): void {
    this.#end ??= reason;
    for (const { fail } of this.#takers.splice(0)) fail(reason);
  }

  /** The next item. Rejects when it does not come in time, or will not come any more. */
  next(): Promise<T> {
    const [item] = this.#items.splice(0, 1);
    if (item !== undefined) return Promise.resolve(item);
    if (this.#end) return Promise.reject(this.#end);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`nothing came within ${DEADLINE_MS} ms`)), DEADLINE_MS);
      const take = (one: T) => {
        clearTimeout(timer);
        resolve(one);
      };
      const fail = (error: Error) => {
        clearTimeout(timer);
        reject(error);
      };
      this.#takers.push({ take, fail });
    });
  }
}

/** Looks again, a turn of the loop later each time, until the condition holds; rejects when it never does. */
export async function until(holds: () => boolean | Promise<boolean>, what = "the condition"): Promise<void> {
  const endMs = performance.now() + DEADLINE_MS;
  while (!(await holds())) {
    if (performance.now() > endMs) throw new Error(`${what} did not come about within ${DEADLINE_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
