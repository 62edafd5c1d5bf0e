import { ACCESS_TOKEN } from "../request/query.ts";

const bearer = {
  type: "http" as const,
  scheme: "bearer",
  description: "A token of `eventbus token create`, or a JSON Web Token. Not needed as long as there is neither.",
};

/** The same secret as {@link bearer} in `access_token`. */
const inQuery = {
  in: "query" as const,
  name: ACCESS_TOKEN,
  description: "The same, where a browser cannot set headers: `WebSocket` and `EventSource`. One of the two, not both.",
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
