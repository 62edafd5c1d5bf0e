import { swagger } from "@elysiajs/swagger";
import { Elysia } from "elysia";
import type { Sender } from "../access/proxies.ts";
import { ASYNCAPI_PATH, asyncApi, serversFor } from "../docs/asyncapi.ts";
import { openApiSchemes } from "../docs/openapi.ts";
import { asyncApiDocs, specificationDocs } from "../docs/operate.ts";
import { problemExamples } from "../docs/problems.ts";
import { operation, tags } from "../docs/route.ts";
import { schemas } from "../docs/schemas.ts";
import { jsonText } from "../response/answer.ts";
import { SUBSCRIBE_PATH, subscribeQuery } from "../websocket/subscriptions.ts";
import { docsPageRoutes, PAGE_PATH } from "./docs-page.ts";
import { type Route, route } from "./route.ts";

/** The path in the catalogue; the server serves it at another one. */
const SPECIFICATION_PATH = "/openapi";

const DESCRIPTION = `\
Publish an event with one HTTP call, subscribe over a WebSocket or a stream, query the history for past events.

\`\`\`sh
websocat 'ws://127.0.0.1:9800/api/events/subscribe?pattern=orders.*' &
curl http://127.0.0.1:9800/api/events/publish -d '{"topic":"orders.created","data":{"total":25}}'
curl 'http://127.0.0.1:9800/api/events/history?last=10'
\`\`\`

Patterns are globs over the whole topic: \`*\` matches any characters, including dots; \`?\` one; \`[a-z]\`, \`[^a-z]\` one of a class;
\`{a,b}\` either; \`\\\` escapes. Unknown parameters and members are errors, so that a typo never goes unnoticed. Every
error is \`application/problem+json\` with a \`code\` for programs; the schema \`ErrorCode\` lists all of them.`;

/**
 * The documentation of these routes and of itself: `/swagger` for people, `/swagger/json` and `/asyncapi.json` for
 * programs.
 */
export function docsRoutes(version: string, routes: readonly Route[], senderOf: (request: Request) => Sender): Route[] {
  const socket = JSON.stringify(asyncApi({ version, address: SUBSCRIBE_PATH, query: subscribeQuery.documentation }));
  let document: Promise<string> | undefined;
  const documents = [
    route({
      method: "GET",
      path: `${PAGE_PATH}/json`,
      access: "public",
      docs: specificationDocs,
      handle: async () => {
        document ??= openApi(version, [...routes, ...documents]);
        return jsonText(await document);
      },
    }),
    route({
      method: "GET",
      path: ASYNCAPI_PATH,
      access: "public",
      docs: asyncApiDocs,
      handle: ({ request }) =>
        jsonText(`${socket.slice(0, -1)},"servers":${JSON.stringify(serversFor(request, senderOf(request)))}}`),
    }),
  ];
  return [...documents, ...docsPageRoutes(version)];
}

/** The OpenAPI document that Elysia's plugin makes from a catalogue of the routes. */
async function openApi(version: string, routes: readonly Route[]): Promise<string> {
  const catalogue = new Elysia().use(
    swagger({
      specPath: SPECIFICATION_PATH,
      documentation: documentation(version),
      // Otherwise an address with a dot, such as /asyncapi.json, counts as a file and is omitted.
      excludeStaticFile: false,
    }),
  );
  for (const { method, path, access, query, docs } of routes) {
    if (docs === undefined) continue;
    const detail = operation(docs, access, query.documentation);
    catalogue.route(method, path, () => "", { parse: "none", detail });
  }
  const answer = await catalogue.handle(new Request(`http://localhost${SPECIFICATION_PATH}`));
  return JSON.stringify(await answer.json());
}

function documentation(version: string) {
  return {
    info: { title: "eventbus", version, description: DESCRIPTION, license: { name: "MIT" } },
    // Relative to the address of the document.
    servers: [{ url: "..", description: "This server" }],
    tags: [...tags],
    components: { schemas: { ...schemas }, examples: problemExamples(), securitySchemes: openApiSchemes },
  };
}
