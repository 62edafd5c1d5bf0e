import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { TokenBook } from "../../src/bus/access/tokens.ts";
import { SqliteEventLog } from "../../src/store/event-log.ts";
import type { Context } from "./bench.ts";

/** A history without an event, and the secrets of its tokens. */
export interface TokenFile {
  readonly path: string;
  readonly secrets: readonly string[];
}

const nothing = { publish: [], subscribe: [], consume: [], isAdmin: false, isMonitor: false, expiresMs: undefined };

/** Makes a history with this many tokens, which may all publish everywhere, by this many different sets of patterns. */
export async function makeTokenFile(context: Context, tokens: number, scopes: number): Promise<TokenFile> {
  const path = join(mkdtempSync(join(context.folder, "tokens-")), "eventbus.db");
  const log = new SqliteEventLog(path, { durability: "os" });
  const book = new TokenBook(log.tokens, { clock: Date.now, hasOtherAdmins: false });
  await book.create({ ...nothing, name: "root", isAdmin: true });
  const secrets: string[] = [];
  for (let index = 0; index < tokens; index++) {
    const publish = ["site*.sensor*", `scope${index % scopes}.*`];
    secrets.push((await book.create({ ...nothing, name: `t${index}`, publish })).secret);
  }
  await log.close();
  return { path, secrets };
}
