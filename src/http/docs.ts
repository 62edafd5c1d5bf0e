import { swagger } from "@elysiajs/swagger";
import { Elysia } from "elysia";
import { jsonText } from "./answer.ts";
import { ASYNCAPI_PATH, asyncApi, serversFor } from "./docs/asyncapi.ts";
import { asyncApiDocs, specificationDocs } from "./docs/operate.ts";
import { PAGE_PATH, pageRoutes } from "./docs/page.ts";
import { problemExamples } from "./docs/problems.ts";
import { documented, operation, tags } from "./docs/route.ts";
import { schemas } from "./docs/schemas.ts";
import { openApiSchemes } from "./docs/security.ts";
import { noQuery } from "./query.ts";
import { SUBSCRIBE_PATH, subscribeQuery } from "./subscribe.ts";

const SPECIFICATION_PATH = `${PAGE_PATH}/json`;

const DESCRIPTION = `\
Publish an event with one HTTP call, subscribe over a WebSocket or a stream, ask the history for what was before.

\`\`\`sh
websocat 'ws://127.0.0.1:9800/api/events/subscribe?pattern=orders.*' &
curl http://127.0.0.1:9800/api/events/publish -d '{"topic":"orders.created","data":{"total":25}}'
curl 'http://127.0.0.1:9800/api/events/history?last=10'
\`\`\`

Patterns are globs over the whole topic: \`*\` any characters, dots too; \`?\` one; \`[a-z]\`, \`[^a-z]\` one of a class;
\`{a,b}\` either; \`\\\` escapes. Unknown parameters and members are errors, so that a slip never goes unnoticed. Every
error is \`application/problem+json\` with a \`code\` for programs; the schema \`ErrorCode\` lists all of them.`;

/**
 * The documentation of all routes: `/swagger` for people, `/swagger/json` and `/asyncapi.json` for programs. Use it after
 * the routes.
 */
export function docsRoutes(version: string) {
  const socket = JSON.stringify(asyncApi({ version, address: SUBSCRIBE_PATH, query: subscribeQuery.documentation }));
  // Made once: the plugin would put the document together for each request, which takes a millisecond.
  let specification: string | undefined;
  return (
    new Elysia()
      .onBeforeHandle(({ path }) =>
        path === SPECIFICATION_PATH && specification !== undefined ? jsonText(specification) : undefined,
      )
      .mapResponse(({ response }) => {
        if (response instanceof Response) return response;
        specification ??= JSON.stringify(response);
        return jsonText(specification);
      })
      .use(
        swagger({
          path: PAGE_PATH,
          specPath: SPECIFICATION_PATH,
          documentation: documentation(version),
          // Else an address with a dot, such as /asyncapi.json, counts as a file and is left out.
          excludeStaticFile: false,
        }),
      )
      .get(
        ASYNCAPI_PATH,
        ({ request }) => {
          noQuery.read(request.url);
          return jsonText(`${socket.slice(0, -1)},"servers":${JSON.stringify(serversFor(request))}}`);
        },
        documented(asyncApiDocs),
      )
      // Takes the place of the page that comes with the plugin, which loads scripts from the internet.
      .use(pageRoutes(version))
  );
}

function documentation(version: string) {
  return {
    info: { title: "eventbus", version, description: DESCRIPTION, license: { name: "MIT" } },
    servers: [{ url: "/", description: "This server" }],
    tags: [...tags],
    paths: { [SPECIFICATION_PATH]: { get: operation(specificationDocs) } },
    components: { schemas: { ...schemas }, examples: problemExamples(), securitySchemes: openApiSchemes },
  };
}
