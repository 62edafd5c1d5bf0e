import type { DocumentDecoration } from "elysia";
import { ACCESS_TOKEN } from "../request/query.ts";

/** The parts of an OpenAPI 3.0 document, as Elysia knows them. */
export type Responses = NonNullable<DocumentDecoration["responses"]>;
export type Answer = Exclude<Responses[string], Reference>;
type Body = Exclude<NonNullable<DocumentDecoration["requestBody"]>, Reference>;
export type Content = Body["content"];
export type Schema = NonNullable<Content[string]["schema"]>;
export type Examples = NonNullable<Content[string]["examples"]>;
export type Headers = NonNullable<Answer["headers"]>;
export type Parameters = NonNullable<DocumentDecoration["parameters"]>;

interface Reference {
  $ref: string;
}

/** Names of {@link Schema schemas} that the document defines once. */
export function schemaRef(name: string): Reference {
  return { $ref: `#/components/schemas/${name}` };
}

/** Content of one media type, with one example. */
export function content(mediaType: string, schema: Schema, example: unknown): Content {
  return { [mediaType]: { schema, example } };
}

/** A response of JSON, which has this schema of the document. */
export function jsonAnswer(description: string, schema: string, example: unknown): Answer {
  return { description, content: content("application/json", schemaRef(schema), example) };
}

/** Content of one media type, with an example for each situation, named after it. */
export function contentOfMany(mediaType: string, schema: Schema, examples: Readonly<Record<string, unknown>>): Content {
  const named = Object.entries(examples).map(([summary, value]) => [summary, { summary, value }]);
  return { [mediaType]: { schema, examples: Object.fromEntries(named) } };
}

/** A parameter in the path. */
export function inPath(name: string, description: string, schema: Schema, example: unknown): Parameters[number] {
  return { name, in: "path", required: true, description, schema, example };
}

/** The header with the address of the next page. */
export function nextPage(example: string): Headers {
  return {
    Link: {
      description: "The address of the next page, when there is one; relative to the address of the request.",
      schema: { type: "string", example },
    },
  };
}

/** An object that has all of these members. */
export function object(description: string, properties: Record<string, Schema>, example?: unknown): Schema {
  const schema: Schema = { type: "object", description, required: Object.keys(properties), properties };
  return example === undefined ? schema : { ...schema, example };
}

export const eventId: Schema = {
  type: "integer",
  format: "int64",
  minimum: 1,
  description: "1, 2, 3 …, in commit order, never reused.",
};

export const createdAt: Schema = {
  type: "string",
  format: "date-time",
  description: "UTC, RFC 3339 with milliseconds, set by the server. Never decreases as `id` increases.",
};

export const count: Schema = { type: "integer", format: "int64", minimum: 0 };

export const countOf = (description: string): Schema => ({ ...count, description });

export const patterns = (description: string): Schema => ({
  type: "array",
  maxItems: 64,
  items: { type: "string", maxLength: 256 },
  description,
});

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

/** How a token is sent, in OpenAPI terms. */
export const openApiSchemes = { bearer, accessToken: { type: "apiKey" as const, ...inQuery } };

/** The same in AsyncAPI terms. */
export const asyncApiSchemes = { bearer, accessToken: { type: "httpApiKey", ...inQuery } };

/** `access_token` among the parameters of a query. */
export const accessTokenParameter = {
  name: ACCESS_TOKEN,
  description: inQuery.description,
  schema: { type: "string" },
};
