import { resolve } from "node:path";
import { Command, Option } from "commander";
import { BusError } from "../bus/errors.ts";
import {
  CONFIG_FLAG,
  type Config,
  configPath,
  environmentName,
  type Flags,
  type Resolved,
  resolveConfig,
  settings,
} from "../config.ts";
import { readConfigFile } from "../config-file.ts";
import { printConfig } from "../config-print.ts";
import { requireKnownHost } from "../listening.ts";
import { createLogger, type Logger } from "../log.ts";
import { Service } from "../service.ts";
import { bundleDashboard } from "./dashboard.ts" with { type: "macro" };
import { replaceHistory } from "./replace-history.ts";

/** How long stopping may take before the process ends anyway, in milliseconds. */
const STOP_MS = 4500;

/** Made when the program is compiled. */
const page = bundleDashboard();

/** The command that runs the service until it is stopped. */
export function serveCommand(version: string): Command {
  const command = new Command("serve").description("run the service (the default command)");
  for (const setting of Object.values(settings)) {
    const value = setting.unit === undefined ? "" : ` <${setting.unit}>`;
    const option = new Option(`${setting.flag}${value}`, `${setting.help} (default: ${shownDefault(setting)})`);
    option.env(environmentName(setting));
    if (value !== "") option.argParser(collect);
    command.addOption(option);
  }
  command.addOption(
    new Option(
      `${CONFIG_FLAG} <file>`,
      "settings file in TOML, with the names of the flags; flags and environment override it",
    )
      .env(environmentName({ flag: CONFIG_FLAG }))
      .argParser(collect),
  );
  command.option("--print-config", "print every setting and where it comes from, and exit");
  return command.action(async () => {
    const flags = flagsOf(command);
    const path = configPath(flags);
    const resolved = resolveConfig(flags, undefined, path === undefined ? undefined : readConfigFile(path));
    if (flags["--print-config"]) process.stdout.write(printConfig(resolved));
    else {
      await requireKnownHost(resolved.config.host, resolved.config.port);
      process.exitCode = await serve(resolved, version);
    }
  });
}

/** Keeps all given values, so that a repeated flag can be detected. */
function collect(text: string, earlier: readonly string[] | undefined): readonly string[] {
  return [...(earlier ?? []), text];
}

function shownDefault(setting: { readonly default: unknown; readonly defaultText?: string }): string {
  return setting.defaultText ?? String(setting.default);
}

/** Only the flags of the command line; `config.ts` reads the environment. */
function flagsOf(command: Command): Flags {
  const flags: Record<string, readonly string[]> = {};
  for (const option of command.options) {
    const name = option.attributeName();
    if (command.getOptionValueSource(name) !== "cli" || option.long == null) continue;
    const value: unknown = command.getOptionValue(name);
    flags[option.long] = Array.isArray(value) ? value.map(String) : [String(value)];
  }
  return flags;
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

/** The next start finds the one history or the other, and tries again. */
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
