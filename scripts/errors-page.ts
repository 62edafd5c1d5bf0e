// Writes docs/reference/errors.md, which is made from the code; test/docs/reference.test.ts fails when it is out of
// date.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { errorCodes, exampleOf } from "../src/http/docs/problems.ts";
import { remedies } from "../src/http/docs/remedies.ts";
import { problems } from "../src/protocol/problem.ts";

const HEAD = `\
# Errors

Generated from the code by \`npm run docs\`: change the code, not this page.

Every error is \`application/problem+json\` (RFC 9457), or on a WebSocket a frame of the type \`error\`. Programs branch on
\`code\`, which never changes its meaning; people read \`detail\`. Other members help to correct the request: \`position\` (the
offset of the error in the text, in UTF-16 code units from 0), \`line\` (of an NDJSON body, from 1), \`limit\`, \`oldest\` (the
id of the oldest event kept), \`parameter\` (the parameter, header or member with the error).
`;

/** The page, whole. */
export function errorsPage(): string {
  const rows = errorCodes.map(
    (code) => `| ${problems[code].status} | [\`${code}\`](#${code}) | ${problems[code].title} |`,
  );
  const table = ["| status | `code` | title |", "|---|---|---|", ...rows].join("\n");
  const sections = errorCodes.map((code) => {
    const { meaning, remedy } = remedies[code];
    const example = JSON.stringify(exampleOf(code), null, 2);
    return `## ${code}\n\n${problems[code].status}. ${meaning}\n\n**Remedy.** ${remedy}\n\n\`\`\`json\n${example}\n\`\`\`\n`;
  });
  return [HEAD, `${table}\n`, ...sections].join("\n");
}

if (import.meta.main) writeFileSync(join(import.meta.dir, "../docs/reference/errors.md"), errorsPage());
