import { EventBusError } from "./errors.ts";
import type { Parameters } from "./http.ts";

/** A link of a `Link` header (RFC 8288): its target, and its parameters up to the next link. */
const LINK = /<([^>]*)>([^<]*)/g;
const REL_NEXT = /;\s*rel\s*=\s*(?:"next"|next\b)/i;

/**
 * The query of the next page that a `Link` header names; undefined when it names none. Only the query is used, with the
 * address of the request before: so a page is found behind any proxy, and no token is sent anywhere else.
 */
export function nextQuery(link: string | null): Parameters | undefined {
  const [, target] = [...(link ?? "").matchAll(LINK)].find(([, , rest]) => REL_NEXT.test(rest ?? "")) ?? [];
  if (target === undefined) return undefined;
  if (!URL.canParse(target, BASE))
    throw new EventBusError("protocol", "the server sent an invalid address for the next page");
  const search = new URL(target, BASE).searchParams;
  return Object.fromEntries([...new Set(search.keys())].map((name) => [name, search.getAll(name)]));
}
/** Has no meaning: a relative address needs a base to be parsed. */
const BASE = "http://server/";
