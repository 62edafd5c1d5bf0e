import { pathOf } from "./answer.ts";

/** One request that was answered. No query, no header, no body: they may hold secrets. */
export interface Answered {
  readonly method: string;
  /** As it was sent, without the query. */
  readonly path: string;
  /** The template of the route, such as `/api/events/:topic`; `other` when there is none. */
  readonly route: string;
  readonly status: number;
  /** Until the head of the answer was ready. */
  readonly durationMs: number;
  /** What was answered. */
  readonly request: Request;
}

export type OnAnswered = (answered: Answered) => void;

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/** The routes of one server by their templates, so that what is counted by route stays bounded. */
export class RouteTemplates {
  readonly #exact: ReadonlySet<string>;
  readonly #patterns: readonly { readonly template: string; readonly regexp: RegExp }[];

  constructor(templates: readonly string[]) {
    this.#exact = new Set(templates);
    this.#patterns = templates
      .filter((template) => template.includes(":"))
      .map((template) => ({ template, regexp: new RegExp(`^${template.replaceAll(/:[^/]+/g, "[^/]+")}$`) }));
  }

  of(path: string): string {
    if (this.#exact.has(path)) return path;
    return this.#patterns.find(({ regexp }) => regexp.test(path))?.template ?? "other";
  }
}

type Answer = Response | undefined;

/** Tells of each answer once its head is ready; an upgrade to a WebSocket is a 101. */
export function observed<Server>(
  answer: (request: Request, server: Server) => Answer | Promise<Answer>,
  routes: RouteTemplates,
  onAnswered: OnAnswered,
): (request: Request, server: Server) => Answer | Promise<Answer> {
  return (request, server) => {
    const startMs = performance.now();
    const tell = (response: Answer): Answer => {
      const path = pathOf(request.url);
      onAnswered({
        method: METHODS.includes(request.method) ? request.method : "other",
        path,
        route: routes.of(path),
        status: response?.status ?? 101,
        durationMs: performance.now() - startMs,
        request,
      });
      return response;
    };
    const response = answer(request, server);
    return response instanceof Promise ? response.then(tell) : tell(response);
  };
}
