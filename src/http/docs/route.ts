import type { DocumentDecoration } from "elysia";
import type { Access } from "../../bus/principal.ts";
import type { ErrorCode } from "../../protocol/problem.ts";
import type { Content, Parameters, Responses } from "./openapi.ts";
import { problemAnswers } from "./problems.ts";

/** Groups of routes, in the order in which the page shows them. */
export const tags = [
  { name: "Publish", description: "One event, or many at once." },
  { name: "Subscribe", description: "Events as they come, from any place in the history on." },
  { name: "History", description: "What was published." },
  { name: "Operate", description: "How the service does, and what it keeps." },
] as const;

/** What the documentation says of a route, beside its query. */
export interface RouteDocs {
  readonly operationId: string;
  readonly tag: (typeof tags)[number]["name"];
  readonly summary: string;
  readonly description: string;
  /** Who may call it, once there is a token or a key. Checked before the route is called. */
  readonly access: Access;
  /** In the path and in headers. */
  readonly parameters?: Parameters;
  /** The body that must be sent, by media type. */
  readonly body?: Content;
  /** Answers that are no problems, by status. */
  readonly answers: Responses;
  /** What can go wrong, beyond what can go wrong with every route. */
  readonly errors: readonly ErrorCode[];
}

/** What documents itself: the query that the route reads. */
interface Documented {
  readonly documentation: Parameters;
}

/** The hook of a route that reads its body by itself, and documents it with the query that the route reads. */
export function documented(docs: RouteDocs, query?: Documented) {
  return { parse: "none" as const, detail: operation(docs, query) };
}

/** What a token must be good for; the names are those of the schemes in the document. */
const SECURITY = [{ bearer: [] }, { accessToken: [] }];
const TOKEN_ERRORS: readonly ErrorCode[] = ["token_missing", "token_invalid", "scope_insufficient"];

/** The member of an operation by which the server knows what a route needs. */
export const ACCESS_MEMBER = "x-access";

/** The route as an OpenAPI operation. */
export function operation(docs: RouteDocs, query?: Documented) {
  return {
    operationId: docs.operationId,
    tags: [docs.tag],
    summary: docs.summary,
    description: docs.description,
    [ACCESS_MEMBER]: docs.access,
    security: docs.access === "public" ? [] : SECURITY,
    parameters: [...(docs.parameters ?? []), ...(query?.documentation ?? [])],
    ...(docs.body === undefined ? {} : { requestBody: { required: true, content: docs.body } }),
    responses: {
      ...docs.answers,
      ...problemAnswers(docs.access === "public" ? docs.errors : [...TOKEN_ERRORS, ...docs.errors]),
    },
  } satisfies DocumentDecoration & { [ACCESS_MEMBER]: Access };
}
