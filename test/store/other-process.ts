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

/** Runs the program to its end. */
export async function eventbus(...parameters: string[]): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  const main = join(import.meta.dir, "../../src/main.ts");
  const child = Bun.spawn([process.execPath, main, ...parameters], { stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { exitCode: await child.exited, stdout, stderr };
}
