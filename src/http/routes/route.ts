import type { Access, Principal } from "../../bus/access/principal.ts";
import type { RouteDocs } from "../docs/route.ts";
import { noQuery, type Parameters, type Query, type Values } from "../request/query.ts";

export type Method = "GET" | "POST" | "PUT" | "DELETE";

type Answer = Response | Promise<Response>;

/** One request to a route, from an admitted caller. */
export interface Call<V> {
  readonly request: Request;
  /** The caller: `anybody` on a public route, and on an open bus. */
  readonly caller: Principal;
  /** The parsed query; a route that declares no query accepts none. */
  readonly query: V;
  /** The segment of the parameter of the path, as it was sent; empty if the path has none. */
  readonly segment: string;
}

export interface RouteOptions<P extends Parameters> {
  readonly method: Method;
  /** One of its segments may be a parameter, such as `:id`. */
  readonly path: string;
  /** Who may call it; default `admin`. */
  readonly access?: Access;
  /** How long the response may take, in seconds; default: as long as a connection may be idle. */
  readonly maxSeconds?: number;
  /** Whether a call may be repeated: its outcome is the same, or what it took is delivered again. Default: for a GET. */
  readonly isRepeatable?: boolean;
  /** Default: none. */
  readonly query?: Query<P>;
  /** If omitted, the documentation does not show the route. */
  readonly docs?: RouteDocs;
  handle(call: Call<Values<P>>): Answer;
}

/** One method of one path: who may call it, what it accepts, its documentation, and what it does. */
export interface Route {
  readonly method: Method;
  readonly path: string;
  readonly access: Access;
  readonly maxSeconds: number | undefined;
  readonly isRepeatable: boolean;
  readonly query: Query<Parameters>;
  readonly docs: RouteDocs | undefined;
  /** Reads the query, then handles the call. Throws, or rejects with, what either of them does. */
  answer(request: Request, caller: Principal, path: string): Answer;
}

/** Creates a route. By default it accepts no query and is for admins only. */
export function route<P extends Parameters = Record<never, never>>(options: RouteOptions<P>): Route {
  const { method, path, access = "admin", maxSeconds, isRepeatable = method === "GET", docs } = options;
  const query: Query<Parameters> = options.query ?? noQuery;
  const start = path.indexOf(":");
  return {
    method,
    path,
    access,
    maxSeconds,
    isRepeatable,
    query,
    docs,
    answer: (request, caller, sent) => {
      // The query is `options.query`, or one without parameters, so its values are those of `P`.
      const values = query.read(request.url) as Values<P>;
      const segment = start === -1 ? "" : segmentAt(sent, start);
      return options.handle({ request, caller, query: values, segment });
    },
  };
}

/** The segment of a path that begins at this offset. */
export function segmentAt(path: string, start: number): string {
  const end = path.indexOf("/", start);
  return end === -1 ? path.slice(start) : path.slice(start, end);
}
