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

type Answer = Response | undefined;

export interface Observed<Server> {
  /** Undefined stands for an upgrade to a WebSocket. */
  answer(request: Request, server: Server): Answer | Promise<Answer>;
  /** The answer when that one throws or rejects. */
  fail(error: unknown, request: Request): Response | Promise<Response>;
  /** The template of the route at a path, if there is one, so that what is counted by route stays bounded. */
  templateOf(path: string): string | undefined;
  onAnswered(answered: Answered): void;
}

/** Answers every request, and tells of it once the head of its answer is ready; an upgrade to a WebSocket is a 101. */
export function observed<Server>({ answer, fail, templateOf, onAnswered }: Observed<Server>) {
  return (request: Request, server: Server): Answer | Promise<Answer> => {
    const startMs = performance.now();
    const told = (response: Answer): Answer => {
      const path = pathOf(request.url);
      onAnswered({
        method: METHODS.includes(request.method) ? request.method : "other",
        path,
        route: templateOf(path) ?? "other",
        status: response?.status ?? 101,
        durationMs: performance.now() - startMs,
        request,
      });
      return response;
    };
    const failed = (error: unknown) => {
      const response = fail(error, request);
      return response instanceof Promise ? response.then(told) : told(response);
    };
    try {
      const response = answer(request, server);
      return response instanceof Promise ? response.then(told, failed) : told(response);
    } catch (error) {
      return failed(error);
    }
  };
}
