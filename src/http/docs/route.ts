import type { DocumentDecoration } from "elysia";
import type { Access } from "../../bus/access/principal.ts";
import type { ErrorCode } from "../../protocol/problem.ts";
import type { Content, Parameters, Responses } from "./openapi.ts";
import { problemAnswers } from "./problems.ts";

/** Groups of routes, in the order in which the page shows them. */
export const tags = [
  { name: "Publish", description: "Publish one event, or many at once." },
  { name: "Subscribe", description: "Receive events as they are published, starting anywhere in the history." },
  { name: "Consume", description: "Share work: the server keeps the place, and tries again until it is done." },
  { name: "History", description: "Read past events." },
  { name: "Operate", description: "Monitor and maintain the service." },
] as const;

/** The documentation of a route, besides its query. */
export interface RouteDocs {
  readonly operationId: string;
  readonly tag: (typeof tags)[number]["name"];
  readonly summary: string;
  readonly description: string;
  /** Those in the path and in headers. */
  readonly parameters?: Parameters;
  /** The body that must be sent, by media type. */
  readonly body?: Content;
  /** Responses that are not problems, by status. */
  readonly answers: Responses;
  /** Errors besides those that every route can return. */
  readonly errors: readonly ErrorCode[];
}

/** The names of the schemes in the document. */
const SECURITY = [{ bearer: [] }, { accessToken: [] }];
const TOKEN_ERRORS: readonly ErrorCode[] = ["token_missing", "token_invalid", "scope_insufficient"];

/** Responses of the HTTP layer below, before any route is looked up: they have no body. */
const BARE_ANSWERS: Responses = {
  431: { description: "The head of the request is 16 KiB or larger, or has more than about 200 fields. No body." },
};

/** A route as an OpenAPI operation: its docs, with who may call it and the query that it reads. */
export function operation(docs: RouteDocs, access: Access, query: Parameters) {
  return {
    operationId: docs.operationId,
    tags: [docs.tag],
    summary: docs.summary,
    description: docs.description,
    security: access === "public" ? [] : SECURITY,
    parameters: [...(docs.parameters ?? []), ...query],
    ...(docs.body === undefined ? {} : { requestBody: { required: true, content: docs.body } }),
    responses: {
      ...docs.answers,
      ...BARE_ANSWERS,
      ...problemAnswers(access === "public" ? docs.errors : [...TOKEN_ERRORS, ...docs.errors]),
    },
  } satisfies DocumentDecoration;
}
