import { ACCESS_TOKEN } from "../request/query.ts";

const bearer = {
  type: "http" as const,
  scheme: "bearer",
  description:
    "A token from `eventbus token create`, or a JSON Web Token. Not needed while the server has neither tokens nor keys.",
};

/** The same secret as {@link bearer} in `access_token`. */
const inQuery = {
  in: "query" as const,
  name: ACCESS_TOKEN,
  description:
    "The same token, for browsers that cannot set headers: `WebSocket` and `EventSource`. Use one of the two, not both.",
};

/** How a token is sent, in the words of OpenAPI. */
export const openApiSchemes = { bearer, accessToken: { type: "apiKey" as const, ...inQuery } };

/** The same in the words of AsyncAPI. */
export const asyncApiSchemes = { bearer, accessToken: { type: "httpApiKey", ...inQuery } };

/** `access_token` among the parameters of a query. */
export const accessTokenParameter = {
  name: ACCESS_TOKEN,
  description: inQuery.description,
  schema: { type: "string" },
};
