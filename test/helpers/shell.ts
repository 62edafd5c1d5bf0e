import { BINARY, withDeadline } from "./binary.ts";
import { TempFolder } from "./temp.ts";

export interface ShellAnswer {
  readonly exitCode: number;
  /** Both outputs, as they came. */
  readonly output: string;
}

/** Runs a line of bash in an empty folder until it ends, with the binary as `$EVENTBUS`, and `env` beside `PATH`. */
export async function runShell(line: string, env: Readonly<Record<string, string>> = {}): Promise<ShellAnswer> {
  using folder = new TempFolder();
  const child = Bun.spawn(["bash", "-c", `exec 2>&1; ${line}`], {
    cwd: folder.path,
    env: { PATH: process.env["PATH"], EVENTBUS: BINARY, ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore",
  });
  try {
    const output = new Response(child.stdout).text();
    const exitCode = await withDeadline(child.exited, `this did not end: ${line}`);
    return { exitCode, output: await output };
  } finally {
    child.kill("SIGKILL");
  }
}

/** The same on a pseudo terminal of 100 columns, which the outputs are; carriage returns are taken out. */
export async function runOnTerminal(line: string, env: Readonly<Record<string, string>> = {}): Promise<ShellAnswer> {
  const script = `script --quiet --return --command 'stty cols 100; eval "$LINE"' /dev/null </dev/null`;
  const { exitCode, output } = await runShell(script, { LINE: line, TERM: "xterm-256color", SHELL: "/bin/sh", ...env });
  return { exitCode, output: output.replaceAll("\r\n", "\n") };
}
