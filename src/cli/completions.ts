import { Argument, Command, type Option } from "commander";

const shells = { bash, zsh, fish } as const;
type Shell = keyof typeof shells;

const EXAMPLES = `
Examples:
  $ source <(eventbus completions bash)      # in ~/.bashrc
  $ source <(eventbus completions zsh)       # in ~/.zshrc, after compinit
  $ eventbus completions fish | source       # in ~/.config/fish/config.fish`;

/** The command that prints a script by which a shell completes commands, flags and the values of flags. */
export function completionsCommand(): Command {
  const command = new Command("completions")
    .description("print a shell completion script for the commands and flags")
    .addArgument(new Argument("<shell>", "which shell").choices(Object.keys(shells)))
    .addHelpText("after", EXAMPLES);
  return command.action((shell: Shell) => {
    if (command.parent) process.stdout.write(shells[shell](placesOf(command.parent)));
  });
}

/** A command, and everything that can follow it. */
interface Place {
  /** The commands on the way to it: `""`, `"token"`, `"token create"`. */
  readonly path: string;
  readonly commands: readonly Command[];
  readonly options: readonly Option[];
  /** The fixed values of its first argument. */
  readonly values: readonly string[];
}

function placesOf(command: Command, path = ""): Place[] {
  const help = command.createHelp();
  const commands = help.visibleCommands(command);
  const byDefault = path === "" ? commands.filter((one) => one.name() === "serve") : [];
  const options = [command, ...byDefault].flatMap((one) => help.visibleOptions(one)).filter(isFirstOfItsName);
  const values = command.registeredArguments[0]?.argChoices ?? [];
  const below = commands.filter(({ commands: more, options: flags, registeredArguments }) => {
    return more.length + flags.length + registeredArguments.length > 0;
  });
  return [
    { path, commands, options, values },
    ...below.flatMap((one) => placesOf(one, `${path} ${one.name()}`.trim())),
  ];
}

/** `eventbus` without a command takes the flags of `serve`, which include `--help`. */
function isFirstOfItsName(option: Option, index: number, all: readonly Option[]): boolean {
  return all.findIndex(({ long }) => long === option.long) === index;
}

/** The values that an option can have: its choices, or those that its flags name, as in `<fsync|os>`. */
function valuesOf({ argChoices, flags }: Option): readonly string[] {
  return argChoices ?? /<([a-z]+(?:\|[a-z]+)+)>/.exec(flags)?.[1]?.split("|") ?? [];
}

function flagsOf({ options }: Place): string[] {
  return options.flatMap(({ short, long }) => [short, long].filter((flag) => flag !== undefined));
}

function wordsOf(place: Place): string[] {
  return [...place.commands.map((command) => command.name()), ...place.values, ...flagsOf(place)];
}

/** Shell code that sets a variable to the words that may follow: those of the command, or the values of a flag. */
function cases(places: readonly Place[], variable: string): string {
  const values = places.flatMap(({ path, options }) =>
    options.flatMap((option) => {
      if (!option.long || !(option.required || option.optional)) return [];
      return [`    "${path} ${option.long}") ${variable}='${valuesOf(option).join(" ")}' ;;`];
    }),
  );
  const words = places.map((place) => `    "${place.path}") ${variable}='${wordsOf(place).join(" ")}' ;;`);
  return `  case "$place $previous" in
${values.join("\n")}
  *)
    case "$place" in
${words.join("\n")}
    esac ;;
  esac`;
}

/** Shell code that walks down the commands as far as the words go. */
function walk(places: readonly Place[]): string {
  const steps = places.filter(({ path }) => path !== "").map(({ path }) => `"${path}"`);
  return `    case "\${place:+$place }$word" in ${steps.join("|")}) place="\${place:+$place }$word" ;; esac`;
}

function bash(places: readonly Place[]): string {
  return `# bash completion for eventbus
_eventbus() {
  local place='' word words='' previous="\${COMP_WORDS[COMP_CWORD-1]}"
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
${walk(places)}
  done
${cases(places, "words")}
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _eventbus eventbus
`;
}

function zsh(places: readonly Place[]): string {
  return `#compdef eventbus
_eventbus() {
  local place='' word candidates='' previous="\${words[CURRENT-1]}"
  for word in "\${(@)words[2,CURRENT-1]}"; do
${walk(places)}
  done
${cases(places, "candidates")}
  if [[ -n $candidates ]]; then compadd -- \${=candidates}; else _files; fi
}
compdef _eventbus eventbus
`;
}

function fish(places: readonly Place[]): string {
  const lines = places.flatMap((place) => {
    const here = `complete -c eventbus -n '__eventbus_at "${place.path}"'`;
    return [
      ...place.commands.map((one) => `${here} -f -a ${one.name()} -d ${quoted(one.description())}`),
      ...place.values.map((value) => `${here} -f -a ${value}`),
      ...place.options.map((option) => `${here} ${fishFlag(option)}`),
    ];
  });
  const steps = places.filter(({ path }) => path !== "").map(({ path }) => `"${path}"`);
  return `# fish completion for eventbus
function __eventbus_at
  set -l place ''
  for word in (commandline -opc)[2..]
    set -l next (string trim -- "$place $word")
    contains -- $next ${steps.join(" ")}; and set place $next
  end
  test "$place" = "$argv[1]"
end
${lines.join("\n")}
`;
}

function fishFlag(option: Option): string {
  const { short, long, required, optional, description } = option;
  const choices = valuesOf(option);
  const names = [short && `-s ${short.slice(1)}`, long && `-l ${long.slice(2)}`].filter(Boolean).join(" ");
  const values = choices.length > 0 ? ` -x -a ${quoted(choices.join(" "))}` : required || optional ? " -r" : "";
  return `${names}${values} -d ${quoted(description)}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
