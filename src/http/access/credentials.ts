import { BusError } from "../../bus/errors.ts";
import { ACCESS_TOKEN, accessTokensIn } from "../request/query.ts";

const BEARER = /^bearer +(\S+) *$/i;
/** The most common form, which is parsed without the regular expression. */
const USUAL = "Bearer ";

/**
 * The secret that a request carries: in `Authorization: Bearer`, or in the query where a browser cannot set headers
 * (RFC 6750). Undefined when there is none; another scheme of `Authorization` is meant for someone else, such as a
 * proxy.
 *
 * Throws `parameter_invalid` when there are two.
 */
export function secretOf(request: Request): string | undefined {
  const authorization = request.headers.get("authorization");
  const header = authorization === null ? undefined : bearerOf(authorization);
  const { url } = request;
  if (!url.includes("?")) return header;
  const inQuery = accessTokensIn(url);
  if (inQuery.length === 0) return header;
  if (header === undefined && inQuery.length === 1) return inQuery[0];
  throw new BusError(
    "parameter_invalid",
    "send one token: either in Authorization: Bearer or in access_token, not in both",
    {
      members: { parameter: ACCESS_TOKEN },
    },
  );
}

function bearerOf(authorization: string): string | undefined {
  const isUsual = authorization.startsWith(USUAL) && !authorization.includes(" ", USUAL.length);
  return isUsual ? authorization.slice(USUAL.length) : BEARER.exec(authorization)?.[1];
}
