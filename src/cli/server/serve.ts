import { resolve } from "node:path";
import { Command } from "commander";
import { BusError } from "../../bus/errors.ts";
import type { Config, Resolved } from "../../config.ts";
import { printConfig } from "../../config-print.ts";
import { requireKnownHost } from "../../listening.ts";
import { createLogger, type Logger } from "../../log.ts";
import { Service } from "../../service.ts";
import { bundleDashboard } from "./dashboard.ts" with { type: "macro" };
import { replaceHistory } from "./replace-history.ts";
import { settingsOf, withSettings } from "./settings.ts";

/** How long stopping may take before the process ends anyway, in milliseconds. */
const STOP_MS = 4500;

/** Made when the program is compiled. */
const page = bundleDashboard();

/** The command that runs the service until it is stopped. */
export function serveCommand(version: string): Command {
  const command = withSettings(new Command("serve").description("run the service (the default command)"));
  command.option("--print-config", "print every setting and where it comes from, and exit");
  return command.action(async () => {
    const resolved = settingsOf(command);
    if (command.opts()["printConfig"]) process.stdout.write(printConfig(resolved));
    else {
      await requireKnownHost(resolved.config.host, resolved.config.port);
      process.exitCode = await serve(resolved, version);
    }
  });
}

function serve({ config, passedOver }: Resolved, version: string): Promise<number> {
  const log = createLogger(config.logLevel, config.logFormat);
  if (passedOver.length > 0) log.debug({ variables: passedOver }, "ignoring variables that describe another container");
  return new Promise((end) => {
    let isStopping = false;
    const stop = async (reason: string, exitCode: number) => {
      isStopping = true;
      log.info({ reason }, "stopping");
      const stopped = service.stop().then(
        () => true,
        (error) => {
          log.error({ err: error }, "stopping failed");
          return false;
        },
      );
      const isClean = await Promise.race([stopped, Bun.sleep(STOP_MS).then(() => false)]);
      log.info({ clean: isClean }, "stopped");
      end(isClean ? exitCode : 1);
    };
    const replace = async (copy: string) => {
      const port = Number(new URL(service.url).port);
      await service.stop();
      if (isStopping) return;
      await replaceHistory(config.db, copy, log);
      if (!isStopping) service = start(port);
    };
    const start = (port: number) =>
      new Service({
        config: { ...config, port },
        log,
        version,
        page,
        onFailure: () => void stop("the history failed", 1),
        onCopy: (copy) => void replace(copy).catch((error) => failed(error, log, end)),
      });
    let service = start(config.port);
    process.on("SIGINT", () => void stop("SIGINT", 0));
    process.on("SIGTERM", () => void stop("SIGTERM", 0));
    process.on("SIGHUP", () => service.renewCertificate());
    announce(service, config, log, version);
  });
}

/** The next start finds one history or the other, and tries again. */
function failed(error: unknown, log: Logger, end: (exitCode: number) => void): void {
  log.error({ err: error }, "restarting with the copy of another node failed");
  end(1);
}

/** What a new user needs: the address, the documentation, and the file of the events. */
function announce({ url, bus }: Service, { db, logFormat }: Config, log: Logger, version: string): void {
  const kept = bus.head - bus.floor + 1;
  const file = db === ":memory:" ? "memory only: nothing is stored on disk" : resolve(db);
  if (logFormat === "json") {
    log.info({ url, version, database: file, events: kept }, `listening on ${url}`);
    return;
  }
  process.stderr.write(
    `eventbus ${version} is listening on ${url}\n` +
      `  dashboard  ${url}/\n` +
      `  API        ${url}/api/events/publish\n` +
      `  subscribe  ${url.replace(/^http/, "ws")}/api/events/subscribe\n` +
      `  docs       ${url}/swagger\n` +
      `  database   ${file} (${kept} event${kept === 1 ? "" : "s"})\n`,
  );
}

/** The message for a failed start; only that of our own errors is shown. */
export function startFailure(error: unknown): string {
  return error instanceof BusError
    ? error.message
    : error instanceof Error
      ? (error.stack ?? error.message)
      : String(error);
}
