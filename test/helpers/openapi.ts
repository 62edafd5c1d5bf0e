import { Ajv } from "ajv";

/** The parts of an OpenAPI document that the tests read. */
export interface OpenApi {
  readonly openapi: string;
  readonly info: Readonly<Record<string, unknown>>;
  readonly servers: readonly { readonly url: string }[];
  readonly tags: readonly { readonly name: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

export interface Operation {
  readonly operationId?: string;
  readonly summary?: string;
  readonly description?: string;
  readonly tags?: readonly string[];
  readonly security?: readonly object[];
  readonly parameters: readonly Parameter[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<Record<string, Answer>>;
}

export interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly description?: string;
  readonly schema: Schema;
  readonly example?: unknown;
}

export interface Answer {
  readonly description: string;
  readonly headers?: Readonly<Record<string, unknown>>;
  readonly content?: Content;
}

export type Content = Readonly<Record<string, MediaType>>;
export type Schema = Readonly<Record<string, unknown>>;

export interface MediaType {
  readonly schema: Schema;
  readonly example?: unknown;
  readonly examples?: Readonly<Record<string, { readonly value?: unknown; readonly $ref?: string }>>;
}

/** One method of one path. */
export interface DocumentedCall {
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

export function callsOf({ paths }: OpenApi): DocumentedCall[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );
}

/** Every value that is shown as an example, and every schema that it must fit. */
export function examplesOf(
  document: OpenApi,
): { readonly where: string; readonly schema: Schema; readonly value: unknown }[] {
  const media = callsOf(document).flatMap(({ operation }) =>
    [operation.requestBody, ...Object.values(operation.responses)].flatMap((one) => Object.values(one?.content ?? {})),
  );
  const parameters = callsOf(document).flatMap(({ operation }) => operation.parameters);
  return [
    ...media.flatMap((one) => valuesOf(document, one).map((value) => ({ schema: one.schema, value }))),
    ...[...parameters, ...schemasOf(document)].flatMap((one) =>
      one.example === undefined ? [] : [{ schema: "in" in one ? (one.schema as Schema) : one, value: one.example }],
    ),
  ].map((one) => ({ ...one, where: JSON.stringify(one.value).slice(0, 60) }));
}

/** The examples of one media type. */
export function valuesOf(document: OpenApi, { example, examples = {} }: MediaType): unknown[] {
  const named = Object.values(examples).map(({ $ref, value }) =>
    $ref === undefined ? value : (resolve(document, $ref) as { value: unknown }).value,
  );
  return example === undefined ? named : [example, ...named];
}

function schemasOf({ components }: OpenApi): Schema[] {
  return Object.values(components.schemas).flatMap((schema) => [
    schema,
    ...Object.values((schema["properties"] ?? {}) as Record<string, Schema>),
  ]);
}

/** What a `$ref` within the document points to; undefined if it is not there. */
export function resolve(document: OpenApi, ref: string): unknown {
  const names = ref.replace(/^#\//, "").split("/");
  return names.reduce<unknown>((at, name) => (at as Record<string, unknown> | undefined)?.[name], document);
}

/** Every `$ref` anywhere in the document. */
export function refsIn(node: unknown): string[] {
  if (typeof node !== "object" || node === null) return [];
  return Object.entries(node).flatMap(([key, value]) =>
    key === "$ref" && typeof value === "string" ? [value] : refsIn(value),
  );
}

/**
 * Checks values against the document's schemas. An object must have no member that its schema does not name, so that
 * nothing is answered that is not documented.
 */
export class SchemaChecker {
  readonly #ajv = new Ajv({ strict: false, formats: { int64: true, "date-time": /^\d{4}-\d\d-\d\dT[\d:.]+Z$/ } });

  constructor({ components }: OpenApi) {
    this.#ajv.addSchema({ $id: "document", ...(closed({ components }) as object) });
  }

  /** What is wrong with the value, or nothing. */
  faults(schema: Schema, value: unknown): string {
    const text = JSON.stringify(closed(schema)).replaceAll('"#/components', '"document#/components');
    const check = this.#ajv.compile(JSON.parse(text));
    return check(value) ? "" : this.#ajv.errorsText(check.errors);
  }
}

/** The same schemas, closed to members they do not name; except the parts of an `allOf`, which name some each. */
function closed(node: unknown, isPart = false): unknown {
  if (Array.isArray(node)) return node.map((one) => closed(one, isPart));
  if (typeof node !== "object" || node === null) return node;
  const entries = Object.entries(node).map(([key, value]) => [
    key,
    key.startsWith("example") ? value : closed(value, key === "allOf"),
  ]);
  const copy = Object.fromEntries(entries);
  const isOpen = copy.type === "object" && copy.properties !== undefined && !isPart;
  return isOpen ? { additionalProperties: false, ...copy } : copy;
}
