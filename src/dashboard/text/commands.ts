import { survivesParsing } from "./json.ts";

/** An event to publish. `data` is JSON text. */
export interface Draft {
  readonly topic: string;
  readonly source: string;
  readonly data: string;
}

/** Longer data, in UTF-16 code units, is passed on standard input: Linux accepts arguments of up to 128 KiB. */
const MAX_ARGUMENT = 32 * 1024;

/** The command that publishes it, for a POSIX shell. It names the variable of the token, and never shows the token. */
export function toCurl(url: string, draft: Draft, hasToken: boolean): string {
  const authorization = hasToken ? ` \\\n  -H "Authorization: Bearer $EVENTBUS_TOKEN"` : "";
  const head = `curl ${quoted(`${url}/api/events/publish`)}${authorization} \\\n  -H 'Content-Type: application/json'`;
  const body = `{"topic":${JSON.stringify(draft.topic)}${sourceMember(draft.source)},"data":${draft.data}}`;
  // No line of JSON equals the word that ends the here-document.
  if (body.length > MAX_ARGUMENT) return `${head} \\\n  --data-binary @- <<'EVENT'\n${body}\nEVENT\n`;
  return `${head} \\\n  -d ${quoted(body)}`;
}

/** The same in TypeScript, with a placeholder for the token. */
export function toTypeScript(url: string, draft: Draft, hasToken: boolean): string {
  const { topic, source, data } = draft;
  const options = hasToken ? ', { token: "ebt_…" }' : "";
  const isLiteral = survivesParsing(data) && !data.includes('"__proto__"');
  const call = isLiteral ? "publish" : "publishRaw";
  const argument = isLiteral ? data : JSON.stringify(data);
  const last = source === "" ? "" : `, { source: ${JSON.stringify(source)} }`;
  return (
    `import { connect } from "@eventbus/client";\n\n` +
    `const bus = connect(${JSON.stringify(url)}${options});\n` +
    `const event = await bus.${call}(${JSON.stringify(topic)}, ${argument}${last});\n` +
    `console.log(event.id);\n`
  );
}

function sourceMember(source: string): string {
  return source === "" ? "" : `,"source":${JSON.stringify(source)}`;
}

/** One word of a shell, quoted so that it is taken literally. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
