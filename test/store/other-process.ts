import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Another process that has a history open. */
export interface Holder extends AsyncDisposable {
  /** Ends it as a crash would. */
  kill(): Promise<void>;
}

/** Resolves once the other process has opened the file and appended this many events, each in its own commit. */
export async function holdInAnotherProcess(path: string, events = 0): Promise<Holder> {
  const script = fileURLToPath(import.meta.resolve("./hold.ts"));
  const child = Bun.spawn([process.execPath, script, path, String(events)], { stdout: "pipe", stderr: "inherit" });
  const kill = async () => {
    child.kill("SIGKILL");
    await child.exited;
  };
  const { value } = await child.stdout.getReader().read();
  if (value === undefined) throw new Error(`the other process ended with ${await child.exited}`);
  return { kill, [Symbol.asyncDispose]: kill };
}

/** Processes that open the same histories at the same instants. */
export interface Race extends AsyncDisposable {
  /** Lets all of them open the next history; resolves with what each of them says: `open`, or why not. */
  next(): Promise<string[]>;
}

/** Resolves once all processes wait for the first of these paths. */
export async function raceToOpen(paths: readonly string[], processes: number): Promise<Race> {
  const script = fileURLToPath(import.meta.resolve("./race.ts"));
  const children = Array.from({ length: processes }, () =>
    Bun.spawn([process.execPath, script, ...paths], { stdout: "pipe", stderr: "inherit" }),
  );
  const lines = children.map(({ stdout }) => linesOf(stdout));
  const fromAll = () => Promise.all(lines.map(async (line) => String((await line.next()).value)));
  const left = [...paths];
  await fromAll();
  return {
    next: () => {
      writeFileSync(`${left.shift()}.go`, "");
      return fromAll();
    },
    [Symbol.asyncDispose]: async () => {
      for (const child of children) child.kill("SIGKILL");
      await Promise.all(children.map((child) => child.exited));
    },
  };
}

async function* linesOf(output: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of output) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}

/** Runs the program to its end. */
export async function eventbus(...parameters: string[]): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  const main = join(import.meta.dir, "../../src/main.ts");
  const child = Bun.spawn([process.execPath, main, ...parameters], { stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { exitCode: await child.exited, stdout, stderr };
}
