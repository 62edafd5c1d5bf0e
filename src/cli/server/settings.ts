import { type Command, Option } from "commander";
import {
  CONFIG_FLAG,
  configPath,
  environmentName,
  type Flags,
  type Resolved,
  resolveConfig,
  settings,
} from "../../config.ts";
import { readConfigFile } from "../../config-file.ts";

/** Gives a command the flag of every setting. */
export function withSettings(command: Command): Command {
  for (const setting of Object.values(settings)) {
    const value = setting.unit === undefined ? "" : ` <${setting.unit}>`;
    const option = new Option(`${setting.flag}${value}`, `${setting.help} (default: ${shownDefault(setting)})`);
    option.env(environmentName(setting));
    if (value !== "") option.argParser(collect);
    command.addOption(option);
  }
  const file = new Option(
    `${CONFIG_FLAG} <file>`,
    "settings file in TOML, with the names of the flags; flags and environment override it",
  );
  return command.addOption(file.env(environmentName({ flag: CONFIG_FLAG })).argParser(collect));
}

/** The settings that the command was given. Throws `parameter_invalid` or `parameter_unknown`. */
export function settingsOf(command: Command): Resolved {
  const flags = flagsOf(command);
  const path = configPath(flags);
  return resolveConfig(flags, undefined, path === undefined ? undefined : readConfigFile(path));
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
