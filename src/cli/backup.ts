import { once } from "node:events";
import { createWriteStream, statSync } from "node:fs";
import { Command } from "commander";
import { BusError } from "../bus/errors.ts";
import { errorOf } from "../client/errors.ts";
import { outboundFetch } from "../proxy.ts";
import { copyFile, requireReplaceable, WholeFile } from "../store/copy/whole-file.ts";
import { FileInUse, writeError } from "../store/file/open-error.ts";
import { isGiven, otherSchemeOf, serverOf, withServer } from "./connection.ts";
import { databaseOption, keptWords } from "./history-file.ts";
import { ProgressLine } from "./terminal/progress-line.ts";

interface Options {
  readonly url: string;
  readonly token?: string;
  readonly db: string;
  readonly force?: true;
}

/** `-` means standard output elsewhere, but a copy gets its name only once it has been verified. */
const NO_STREAM =
  "error: the copy is verified in a file: name one, or stream one that is not verified from /api/backup";

/** The command that copies the history, of a running server or of a file that no server uses. */
export function backupCommand(): Command {
  const command = new Command("backup")
    .description("make a verified copy of the history, whether or not a server is running")
    .argument("<file>", "file to write the copy to")
    .addOption(databaseOption("history file, opened directly when no server uses it"))
    .option("--force", "replace an existing file");
  return withServer(command).action(async (file: string, options: Options) => {
    if (file === "-") command.error(NO_STREAM);
    await backUp(file, options, isGiven(command, "db") && !isGiven(command, "url"));
  });
}

async function backUp(file: string, options: Options, prefersFile: boolean): Promise<void> {
  const requirePlace = () => requirePlaceFor(file, options);
  requirePlace();
  const progress = new ProgressLine();
  try {
    using copy = new WholeFile(file);
    const onProgress = (what: string, done: number) => progress.show(`${file}: ${what} ${Math.floor(done * 100)} %`);
    const reports = { onProgress, onWarning: (detail: string) => progress.warn(detail) };
    const fromFile = () => copyFile(options.db, copy.unfinished, reports);
    const fromServer = () => download(options, copy.unfinished, (text) => progress.show(`${file}: ${text}`));
    if (prefersFile) await firstThat(fromFile, fromServer, (error) => error instanceof FileInUse);
    else await firstThat(fromServer, fromFile, (error) => error instanceof NobodyThere);
    const report = await copy.check(reports);
    requirePlace();
    copy.appear();
    progress.clear();
    process.stdout.write(`${file} is a sound copy: ${keptWords(report)}\n`);
  } catch (error) {
    throw writeError(file, error);
  } finally {
    progress.clear();
  }
}

/** Throws unless the copy can get this name: called before the copy is made, and again at the end. */
function requirePlaceFor(file: string, { force, db }: Options): void {
  const there = statSync(file, { throwIfNoEntry: false });
  if (there === undefined) return;
  if (there.isDirectory()) throw new BusError("parameter_invalid", `${file} is a folder: name a file in it`);
  if (!there.isFile()) throw new BusError("parameter_invalid", `${file} is not a regular file: name another one`);
  if (!force) {
    throw new BusError("unavailable", `${file} already exists: name another file, or replace it with --force`);
  }
  requireReplaceable(file, db);
}

/** Falls back to the second action when the first one fails in this way; if both fail, both errors are reported. */
async function firstThat(
  first: () => Promise<void>,
  second: () => Promise<void>,
  isWorthSecond: (error: unknown) => boolean,
): Promise<void> {
  try {
    await first();
  } catch (error) {
    if (!isWorthSecond(error)) throw error;
    try {
      await second();
    } catch (secondError) {
      const words = [error, secondError].map((one) => (one instanceof Error ? one.message : String(one)));
      throw new BusError("unavailable", words.join("; and "), { cause: secondError });
    }
  }
}

/** No server listens at the address. */
class NobodyThere extends BusError {}

async function download(options: Options, target: string, onProgress: (text: string) => void): Promise<void> {
  const response = await askOneOf(options, onProgress);
  const total = Number(response.headers.get("eventbus-backup-bytes") ?? 0);
  const file = createWriteStream(target, { mode: 0o600 });
  const failed = new Promise<never>((_, reject) => file.once("error", reject));
  failed.catch(() => {});
  let received = 0;
  for await (const bytes of response.body ?? []) {
    received += bytes.length;
    if (!file.write(bytes)) await Promise.race([once(file, "drain"), failed]);
    const share = total > 0 ? `, ${Math.floor((received / total) * 100)} %` : "";
    onProgress(`${(received / 1e6).toFixed(1)} MB${share}`);
  }
  file.end();
  await Promise.race([once(file, "close"), failed]);
  if (received === total) return;
  throw new BusError("unavailable", `the connection ended after ${received} of ${total} bytes: try again`);
}

/** The first server that responds. */
async function askOneOf(options: Options, onProgress: (text: string) => void): Promise<Response> {
  const { urls, token } = serverOf(options);
  let failure: unknown;
  for (const url of urls) {
    try {
      onProgress(`the server at ${url} is making a copy …`);
      return await ask(`${url.replace(/\/+$/, "")}/api/backup`, token);
    } catch (error) {
      if (!(error instanceof NobodyThere)) throw error;
      failure ??= error;
    }
  }
  throw failure;
}

async function ask(url: string, token: string | undefined): Promise<Response> {
  if (!URL.canParse(url) || !/^https?:/.test(url)) {
    throw new BusError("parameter_invalid", "--url must be an address such as http://127.0.0.1:9800");
  }
  const headers: Record<string, string> = token === undefined ? {} : { Authorization: `Bearer ${token}` };
  let response: Response;
  try {
    // Bun gives up after five minutes by itself; a copy of a large history may take longer.
    response = await outboundFetch(url, { headers, timeout: false } as RequestInit);
  } catch (error) {
    const { origin } = new URL(url);
    const other = await otherSchemeOf(origin);
    if (other) throw new BusError("unavailable", `${other.what}: ${other.remedy}`, { cause: error });
    throw new NobodyThere("unavailable", `no server responds at ${origin}`, { cause: error });
  }
  if (response.ok) return response;
  throw await errorOf(response);
}
