import { survivesParsing } from "./json.ts";

/** What one would publish. `data` is JSON text. */
export interface Draft {
  readonly topic: string;
  readonly source: string;
  readonly data: string;
}

/** A longer one goes through standard input, in UTF-16 code units: Linux takes an argument of up to 128 KiB, a unit is up to 3 bytes. */
const MAX_ARGUMENT = 32 * 1024;

/** The command that publishes it, for a POSIX shell. A token is named by its variable, never shown. */
export function toCurl(url: string, draft: Draft, hasToken: boolean): string {
  const authorization = hasToken ? ` \\\n  -H "Authorization: Bearer $EVENTBUS_TOKEN"` : "";
  const head = `curl ${quoted(`${url}/api/events/publish`)}${authorization} \\\n  -H 'Content-Type: application/json'`;
  const body = `{"topic":${JSON.stringify(draft.topic)}${sourceMember(draft.source)},"data":${draft.data}}`;
  // No line of JSON is the word that ends it.
  if (body.length > MAX_ARGUMENT) return `${head} \\\n  --data-binary @- <<'EVENT'\n${body}\nEVENT\n`;
  return `${head} \\\n  -d ${quoted(body)}`;
}

/** The same in TypeScript; in place of a token stands where to put it. */
export function toTypeScript(url: string, draft: Draft, hasToken: boolean): string {
  const { topic, source, data } = draft;
  const options = hasToken ? ', { token: "ebt_…" }' : "";
  const isLiteral = survivesParsing(data) && !data.includes('"__proto__"');
  const call = isLiteral ? "publish" : "publishRaw";
  const argument = isLiteral ? data : JSON.stringify(data);
  const last = source === "" ? "" : `, { source: ${JSON.stringify(source)} }`;
  return (
    `import { connect } from "eventbus/client";\n\n` +
    `const bus = connect(${JSON.stringify(url)}${options});\n` +
    `const event = await bus.${call}(${JSON.stringify(topic)}, ${argument}${last});\n` +
    `console.log(event.id);\n`
  );
}

function sourceMember(source: string): string {
  return source === "" ? "" : `,"source":${JSON.stringify(source)}`;
}

/** One word of a shell, to the letter. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
