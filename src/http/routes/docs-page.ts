import uiStyle from "swagger-ui-dist/swagger-ui.css" with { type: "file" };
import uiScript from "swagger-ui-dist/swagger-ui-bundle.js" with { type: "file" };
import { ASYNCAPI_PATH } from "../docs/asyncapi.ts";
import startScript from "../docs/page/start.js" with { type: "file" };
import theme from "../docs/page/theme.css" with { type: "file" };
import type { Parameters } from "../request/query.ts";
import { type Route, type RouteOptions, route } from "./route.ts";

/** Where the page is. */
export const PAGE_PATH = "/swagger";

/** The files that the page loads, by their path. */
const assets = {
  "ui.js": { file: uiScript, type: "text/javascript; charset=utf-8" },
  "ui.css": { file: uiStyle, type: "text/css; charset=utf-8" },
  "start.js": { file: startScript, type: "text/javascript; charset=utf-8" },
  "theme.css": { file: theme, type: "text/css; charset=utf-8" },
} as const;

interface Asset {
  readonly file: string;
  readonly type: string;
}

/** Nothing may be loaded from elsewhere. Swagger UI sets styles on its elements, and its icons are data URLs. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** The documentation for people: Swagger UI. Every file comes from the program itself. */
export function docsPageRoutes(version: string): Route[] {
  const page = pageOf(version);
  const shown = (path: string, handle: RouteOptions<Parameters>["handle"]) =>
    route({ method: "GET", path, access: "public", handle });
  return [
    shown(PAGE_PATH, () => htmlResponse(page)),
    shown(`${PAGE_PATH}/`, () => new Response(null, { status: 308, headers: { Location: "../swagger" } })),
    ...Object.entries(assets).map(([name, asset]) => {
      const tag = lazy(() => entityTag(asset));
      return shown(`${PAGE_PATH}/${name}`, async ({ request }) => assetResponse(asset, await tag(), request));
    }),
  ];
}

function htmlResponse(page: string): Response {
  return new Response(page, {
    headers: {
      "Content-Type": "text/html; charset=utf-8",
      "Content-Security-Policy": CONTENT_SECURITY_POLICY,
      "X-Content-Type-Options": "nosniff",
      "Referrer-Policy": "no-referrer",
      "Cache-Control": "no-cache",
    },
  });
}

/** The file, read while it is sent; 304 if the browser has it. */
function assetResponse({ file, type }: Asset, tag: string, request: Request): Response {
  const headers = {
    "Content-Type": type,
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
    ETag: tag,
  };
  const isKnown = request.headers.get("if-none-match") === tag;
  return isKnown ? new Response(null, { status: 304, headers }) : new Response(Bun.file(file), { headers });
}

async function entityTag({ file }: Asset): Promise<string> {
  return `"${Bun.hash(await Bun.file(file).arrayBuffer()).toString(36)}"`;
}

/** Makes a value when it is first used. */
function lazy<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/** Its addresses are relative, as a proxy may serve the bus under a path. */
function pageOf(version: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>eventbus ${version}: API</title>
<link rel="icon" href="${ICON}">
<link rel="stylesheet" href="swagger/ui.css">
<link rel="stylesheet" href="swagger/theme.css">
<script src="swagger/ui.js" defer></script>
<script src="swagger/start.js" defer></script>
</head>
<body>
<header class="bar"><h1>eventbus</h1> <span>${version}</span> <nav><a href="./">Dashboard</a> <a href="swagger/json">OpenAPI</a> <a href="${ASYNCAPI_PATH.slice(1)}">AsyncAPI</a></nav></header>
<div id="swagger-ui"><noscript>This page needs JavaScript. The machine-readable documentation is at swagger/json.</noscript></div>
</body>
</html>
`;
}

/** Three dots joined by a line. A data URL, so that the browser requests no favicon. */
const ICON =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Crect width='16' height='16' " +
  "rx='4' fill='%230f766e'/%3E%3Cpath d='M3 8h10' stroke='white' stroke-width='1.5'/%3E%3Cg fill='white'%3E%3Ccircle " +
  "cx='3.5' cy='8' r='1.7'/%3E%3Ccircle cx='8' cy='8' r='1.7'/%3E%3Ccircle cx='12.5' cy='8' r='1.7'/%3E%3C/g%3E%3C/svg%3E";
