import type { DocumentDecoration } from "elysia";

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

/** Content of one media type, with an example for each situation, named by it. */
export function contentOfMany(mediaType: string, schema: Schema, examples: Readonly<Record<string, unknown>>): Content {
  const named = Object.entries(examples).map(([summary, value]) => [summary, { summary, value }]);
  return { [mediaType]: { schema, examples: Object.fromEntries(named) } };
}
