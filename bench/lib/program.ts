import { join } from "node:path";
import { Child } from "./child.ts";

/** No command of a bench takes nearly as long. */
const MAX_COMMAND_MS = 300_000;

type Commands = Readonly<Record<string, (options: never) => Promise<unknown>>>;

interface Answer {
  readonly result?: unknown;
  readonly error?: string;
}

/** A program of `bench/load`, running on the core of the load, that does one command at a time. */
export class Program<C extends Commands> {
  readonly #child: Child;
  #waiting: { resolve: (result: unknown) => void; reject: (error: Error) => void } | undefined;

  constructor(name: string, folder: string) {
    this.#child = new Child([process.execPath, join(import.meta.dir, "../load", `${name}.ts`)], {
      role: "load",
      logFile: join(folder, `load-${name}-${Bun.randomUUIDv7()}.log`),
      onMessage: (message) => this.#receive(message as Answer),
    });
    void this.#child.exited.then(() => {
      this.#waiting?.reject(new Error(`the load program ${name} ended: ${this.#child.log}`));
    });
  }

  /** Resolves with the command's result. Rejects when the command fails, takes five minutes, or the program ends. */
  ask<K extends keyof C & string>(command: K, ...options: Parameters<C[K]>): Promise<Awaited<ReturnType<C[K]>>> {
    const answered = new Promise<unknown>((resolve, reject) => {
      this.#waiting = { resolve, reject };
      const timer = setTimeout(() => reject(new Error(`${command} took too long: ${this.#child.log}`)), MAX_COMMAND_MS);
      timer.unref();
    });
    this.#child.send({ command, options: options[0] });
    return answered as Promise<Awaited<ReturnType<C[K]>>>;
  }

  stop(): Promise<void> {
    return this.#child.stop();
  }

  #receive({ result, error }: Answer): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (error === undefined) waiting?.resolve(result);
    else waiting?.reject(new Error(error));
  }
}
