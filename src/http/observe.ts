import { pathOf } from "./response/answer.ts";
import type { Route } from "./routes/route.ts";

/** One request on its way through the server. */
export interface Incoming {
  readonly request: Request;
  /** As it was sent, without the query. */
  readonly path: string;
  /** Undefined when there is none for this method at this path. */
  readonly route: Route | undefined;
  /** When it arrived, in milliseconds of `performance.now`. */
  readonly startMs: number;
}

/** One completed request. No query, no header, no body: they may contain secrets. */
export interface Answered {
  readonly method: string;
  /** As it was sent, without the query. */
  readonly path: string;
  /** The template of the route, such as `/api/events/:topic`; `other` if there is none. */
  readonly route: string;
  readonly status: number;
  /** Until the head of the response was ready. */
  readonly durationMs: number;
  /** The request itself. */
  readonly request: Request;
}

export type OnAnswered = (answered: Answered) => void;

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

type Answer = Response | undefined;

export interface Observed<Server> {
  readonly routes: {
    find(method: string, path: string): Route | undefined;
    /** The template of the routes at a path, if there are any, so that what is counted by route stays bounded. */
    templateOf(path: string): string | undefined;
  };
  /** Undefined means an upgrade to a WebSocket. */
  answer(incoming: Incoming, server: Server): Answer | Promise<Answer>;
  /** The response if `answer` throws or rejects. */
  fail(error: unknown, incoming: Incoming): Response | Promise<Response>;
  onAnswered(answered: Answered): void;
}

/**
 * Responds to every request, and reports it once the head of its response is ready; an upgrade to a WebSocket is a 101.
 */
export function observed<Server>({ routes, answer, fail, onAnswered }: Observed<Server>) {
  const report = ({ request, path, route, startMs }: Incoming, response: Answer): Answer => {
    const { method } = request;
    onAnswered({
      method: route !== undefined || METHODS.includes(method) ? method : "other",
      path,
      route: route?.path ?? routes.templateOf(path) ?? "other",
      status: response?.status ?? 101,
      durationMs: performance.now() - startMs,
      request,
    });
    return response;
  };
  // An async function would make more objects, for every request.
  const settle = (incoming: Incoming, answering: Promise<Answer>): Promise<Answer> =>
    answering.then(
      (response) => report(incoming, response),
      async (error) => report(incoming, await fail(error, incoming)),
    );
  return (request: Request, server: Server): Answer | Promise<Answer> => {
    const startMs = performance.now();
    const path = pathOf(request.url);
    const incoming: Incoming = { request, path, route: routes.find(request.method, path), startMs };
    let response: Answer | Promise<Answer>;
    try {
      response = answer(incoming, server);
    } catch (error) {
      response = fail(error, incoming);
    }
    return response instanceof Promise ? settle(incoming, response) : report(incoming, response);
  };
}
