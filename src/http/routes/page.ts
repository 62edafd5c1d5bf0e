import { type Route, route } from "./route.ts";

/** The files of a page inside the program: from the path below the server's root to the content in base64. */
export type PageFiles = Readonly<Record<string, string>>;

const DOCUMENT = "index.html";

const TYPES: Readonly<Record<string, string>> = {
  css: "text/css; charset=utf-8",
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
  woff2: "font/woff2",
};

/** Nothing may be loaded from elsewhere, and scripts and styles only from files of the page. Its styles hold the fonts. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'self'",
  "font-src 'self' data:",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/**
 * The names of all files except the document contain a hash of their content, so a browser need not revalidate them.
 */
const FOREVER = "public, max-age=31536000, immutable";

/**
 * The page at `/`, and its files: public, as the page fetches its data with a token. Throws if a file has no known
 * type.
 */
export function pageRoutes(files: PageFiles): Route[] {
  return Object.entries(files).map(([name, base64]) => {
    const file = fileOf(name, Buffer.from(base64, "base64"));
    const path = name === DOCUMENT ? "/" : `/${name}`;
    return route({ method: "GET", path, access: "public", handle: ({ request }) => answer(file, request) });
  });
}

interface File {
  readonly body: Uint8Array<ArrayBuffer>;
  readonly tag: string;
  readonly headers: Readonly<Record<string, string>>;
}

function fileOf(path: string, body: Uint8Array<ArrayBuffer>): File {
  const type = TYPES[path.slice(path.lastIndexOf(".") + 1)];
  if (type === undefined) throw new Error(`${path} has no known type`);
  const tag = `"${Bun.hash(body).toString(36)}"`;
  const headers = {
    "Content-Type": type,
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": path === DOCUMENT ? "no-cache" : FOREVER,
    ETag: tag,
    ...(path === DOCUMENT
      ? { "Content-Security-Policy": CONTENT_SECURITY_POLICY, "Referrer-Policy": "no-referrer" }
      : {}),
  };
  return { body, tag, headers };
}

/** 304 if the browser has it. */
function answer({ body, tag, headers }: File, request: Request): Response {
  const isKnown = request.headers.get("if-none-match") === tag;
  return isKnown ? new Response(null, { status: 304, headers }) : new Response(body, { headers });
}
