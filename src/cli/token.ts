import { existsSync } from "node:fs";
import { Command, Option } from "commander";
import { TokenBook, tokenInfoOf } from "../bus/access/tokens.ts";
import { BusError } from "../bus/errors.ts";
import { parseSince } from "../bus/start.ts";
import { EventBusError } from "../client/index.ts";
import { type ErrorCode, problems } from "../protocol/problem.ts";
import type { NewToken, TokenInfo } from "../protocol/token.ts";
import { SqliteEventLog } from "../store/event-log.ts";
import { isInUse } from "../store/file/sqlite-error.ts";
import { adviceOn, connectTo, isGiven, isServerAt, serverOf, withServer } from "./connection.ts";
import { databaseOption, requireFile } from "./history-file.ts";
import { Table } from "./terminal/table.ts";

/** Time limit of a call to the server, in milliseconds. */
const CALL_MS = 6000;

interface PlaceOptions {
  readonly url: string;
  readonly token?: string;
  readonly db: string;
}

interface CreateOptions {
  readonly publish?: readonly string[];
  readonly subscribe?: readonly string[];
  readonly consume?: readonly string[];
  readonly admin?: boolean;
  readonly monitor?: boolean;
  readonly expires?: Date;
  readonly ifNone?: boolean;
}

/** Where tokens are managed: a running server, or the file that no server uses. */
interface TokenPlace {
  list(): Promise<TokenInfo[]>;
  create(name: string, options: CreateOptions): Promise<NewToken>;
  revoke(name: string): Promise<void>;
  close(): Promise<void>;
}

/** The commands for tokens. */
export function tokenCommand(): Command {
  const command = new Command("token").description(
    "create, list and revoke tokens, through the running server, or in the file when no server is running",
  );
  command.addCommand(createCommand()).addCommand(listCommand()).addCommand(revokeCommand());
  return command;
}

function createCommand(): Command {
  const command = new Command("create")
    .description("create a token, and print its secret, which is shown only once")
    .argument("<name>", "its name: letters, digits, dots, - and _")
    .addOption(patterns("--publish", "topics that it may publish to; repeatable"))
    .addOption(patterns("--subscribe", "topics with events that it may read; repeatable"))
    .addOption(patterns("--consume", "names of the consumers that it may take from; repeatable"))
    .option("--admin", "allow it everything, and to manage tokens; the first token must be an admin token")
    .option("--monitor", "allow it to read metrics, stats and topics, but no events")
    .addOption(new Option("--expires <when>", "a duration such as 30d, or an RFC 3339 time").argParser(parseExpiry))
    .option("--if-none", "do nothing, successfully, if there is a token already");
  return withPlace(command).action(async (name: string, { ifNone = false, ...options }: CreateOptions) => {
    const made = await at(command, async (place) => {
      if (ifNone && (await place.list()).length > 0) return undefined;
      return place.create(name, options);
    });
    if (made === undefined) return void process.stderr.write("there is a token already: none was created\n");
    const { secret, expires_at } = made;
    process.stdout.write(`${secret}\n`);
    const until = expires_at === null ? "until it is revoked" : `until ${expires_at}`;
    process.stderr.write(`token ${name} is valid ${until}; this is the only time it is shown\n`);
  });
}

function listCommand(): Command {
  const command = new Command("list").description("list the tokens, without their secrets");
  command.addOption(new Option("--output <form>", "output format").choices(["table", "json"]).default("table"));
  return withPlace(command).action(async ({ output }: { output: string }) => {
    const tokens = await at(command, (place) => place.list());
    process.stdout.write(output === "json" ? `${JSON.stringify(tokens)}\n` : tableOf(tokens));
  });
}

function revokeCommand(): Command {
  const command = new Command("revoke").description("revoke a token at once, and close its connections");
  command.argument("<name>", "its name");
  return withPlace(command).action(async (name: string) => {
    await at(command, (place) => place.revoke(name));
    process.stderr.write(`token ${name} is revoked\n`);
  });
}

function withPlace(command: Command): Command {
  return withServer(command).addOption(databaseOption("history file, for when no server is running"));
}

function patterns(flag: string, help: string): Option {
  const option = new Option(`${flag} <pattern>`, help);
  return option.argParser((text: string, earlier: readonly string[] = []) => [...earlier, text]);
}

/** Throws `parameter_invalid`. */
function parseExpiry(text: string): Date {
  try {
    const start = parseSince(text);
    if (start.kind === "ago" && start.durationMs > 0) return new Date(Date.now() + start.durationMs);
    if (start.kind === "time") return new Date(start.timeMs);
  } catch {
    // Reported below, with a better message.
  }
  throw new BusError("parameter_invalid", "--expires must be a duration such as 30s, 12h or 30d, or an RFC 3339 time");
}

async function at<T>(command: Command, work: (place: TokenPlace) => Promise<T>): Promise<T> {
  let place: TokenPlace | undefined;
  try {
    place = await placeOf(command);
    return await work(place);
  } catch (error) {
    throw withFlag(error instanceof EventBusError ? asBusError(error) : error);
  } finally {
    await place?.close();
  }
}

/** Reports the server's error to the user like a local one. */
function asBusError(error: EventBusError): BusError {
  const code = errorCodes.find((one) => one === error.code) ?? "unavailable";
  const { parameter } = error.problem ?? {};
  return new BusError(code, adviceOn(error), { cause: error, members: parameter === undefined ? {} : { parameter } });
}

/** The error, with the flag that would help. */
function withFlag(error: unknown): unknown {
  if (!(error instanceof BusError) || error.members.parameter !== "admin") return error;
  return new BusError(error.code, `${error.message}: add --admin`, { cause: error, members: error.members });
}
const errorCodes = Object.keys(problems) as ErrorCode[];

/**
 * A server that is given is always used. A file that is given is used, unless a server has it open. Without either,
 * it is the server at the default address, or, if there is none, the default file.
 */
async function placeOf(command: Command): Promise<TokenPlace> {
  const options = command.opts<PlaceOptions>();
  const [isUrlGiven, isDbGiven] = [isGiven(command, "url"), isGiven(command, "db")];
  const { urls } = serverOf(options);
  if (isUrlGiven && (!isDbGiven || (await isServerAt(urls)))) return serverPlace(options);
  if (!isDbGiven && (await isServerAt(urls))) return serverPlace(options);
  try {
    return filePlace(options.db, command.name() === "create");
  } catch (error) {
    if (error instanceof BusError && isInUse(error.cause) && !isUrlGiven && (await isServerAt(urls)))
      return serverPlace(options);
    throw error;
  }
}

function serverPlace(options: PlaceOptions): TokenPlace {
  const client = connectTo(options, CALL_MS);
  return {
    list: () => client.tokens(),
    create: (name, { expires, ...rest }) => client.createToken(name, { ...rest, expiresAt: expires }),
    revoke: (name) => client.revokeToken(name),
    close: async () => client.close(),
  };
}

function filePlace(path: string, mayMake: boolean): TokenPlace {
  requireFile(path);
  if (!mayMake && !existsSync(path)) {
    throw new BusError("unavailable", `no server responds, and there is no file ${path}: name one with --url or --db`);
  }
  const log = new SqliteEventLog(path, { isMirror: true });
  const requireSingle = () => {
    if (log.place === undefined) return;
    throw new BusError("unavailable", `${path} belongs to a node of a cluster: manage tokens through a running node`);
  };
  const book = new TokenBook(log.tokens, { clock: Date.now, hasOtherAdmins: false });
  return {
    list: async () => book.list().map(tokenInfoOf),
    create: async (name, { publish = [], subscribe = [], consume = [], admin = false, monitor = false, expires }) => {
      requireSingle();
      const grants = { publish, subscribe, consume, isAdmin: admin, isMonitor: monitor };
      const { record, secret } = await book.create({ name, ...grants, expiresMs: expires?.getTime() });
      return { ...tokenInfoOf(record), secret };
    },
    revoke: async (name) => {
      requireSingle();
      await book.revoke(name);
    },
    close: () => log.close(),
  };
}

function tableOf(tokens: readonly TokenInfo[]): string {
  const rows = tokens.map(({ name, publish, subscribe, consume, admin, monitor, expires_at }) => [
    name,
    publish.join(" ") || "-",
    subscribe.join(" ") || "-",
    consume.join(" ") || "-",
    admin ? "admin" : monitor ? "monitor" : "-",
    expires_at ?? "never",
  ]);
  return new Table("NAME", "PUBLISH", "SUBSCRIBE", "CONSUME", "ROLE", "EXPIRES").text(rows);
}
