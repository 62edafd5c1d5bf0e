import type { NewToken, TokenInfo } from "../../protocol/token.ts";
import { content, inPath, jsonAnswer, schemaRef } from "./openapi.ts";
import type { RouteDocs } from "./route.ts";

export const shopToken: TokenInfo = {
  name: "shop",
  publish: ["orders.*"],
  subscribe: ["orders.*", "prices.*"],
  consume: ["billing"],
  admin: false,
  monitor: false,
  expires_at: "2026-12-23T14:30:00.000Z",
};
const adminToken: TokenInfo = {
  name: "ops",
  publish: [],
  subscribe: [],
  consume: [],
  admin: true,
  monitor: false,
  expires_at: null,
};
const secret = "ebt_VhJ0mU1c9cYtq2bL5s8Xn4wRk7PzAeQfGdTi3oB6yHs";
export const newToken: NewToken = { ...shopToken, secret };

export const listTokensDocs: RouteDocs = {
  operationId: "listTokens",
  tag: "Operate",
  summary: "List the named tokens",
  description: "Sorted by name, including expired ones. The secrets cannot be retrieved: only their hashes are stored.",
  answers: {
    200: jsonAnswer("The tokens; an empty array when there are none.", "TokenList", [adminToken, shopToken]),
  },
  errors: ["parameter_unknown", "unavailable"],
};

export const createTokenDocs: RouteDocs = {
  operationId: "createToken",
  tag: "Operate",
  summary: "Create a token",
  description: `\
The response contains the \`secret\`, which cannot be retrieved later. The token is valid at once. The first token must be
an admin token; from then on every request needs a token, and connections made without one are closed.

\`\`\`sh
curl http://127.0.0.1:9800/api/tokens -H "Authorization: Bearer $EVENTBUS_TOKEN" \\
  -d '{"name":"shop","publish":["orders.*"],"subscribe":["orders.*"]}'
\`\`\``,
  body: content("application/json", schemaRef("TokenSpec"), shopToken),
  answers: {
    201: jsonAnswer("Made.", "NewToken", newToken),
  },
  errors: [
    "json_invalid",
    "pattern_invalid",
    "parameter_invalid",
    "parameter_unknown",
    "payload_too_large",
    "media_type_unsupported",
    "unavailable",
    "storage_full",
  ],
};

export const revokeTokenDocs: RouteDocs = {
  operationId: "revokeToken",
  tag: "Operate",
  summary: "Revoke a token",
  description: `\
The token is invalid at once; its WebSockets are closed with 1008 and its streams end. The last valid admin token cannot
be revoked, because no other could be created after that.`,
  parameters: [inPath("name", "The name of the token.", { type: "string", minLength: 1, maxLength: 64 }, "shop")],
  answers: { 204: { description: "Revoked." } },
  errors: ["parameter_invalid", "parameter_unknown", "not_found", "unavailable", "storage_full"],
};
