import { ACCESS_TOKEN } from "../request/query.ts";
import { pathOf } from "./answer.ts";

/**
 * The `Link` header of a response with a next page: the same query, with these parameters replaced. It is relative to
 * the address of the request, so it works behind any proxy, whatever path the proxy adds.
 */
export function nextLink(url: string, parameters: Readonly<Record<string, string>>): string {
  const start = url.indexOf("?");
  const search = new URLSearchParams(start === -1 ? "" : url.slice(start + 1));
  search.delete(ACCESS_TOKEN);
  for (const [name, value] of Object.entries(parameters)) search.set(name, value);
  const path = pathOf(url);
  return `<${path.slice(path.lastIndexOf("/") + 1)}?${search}>; rel="next"`;
}
