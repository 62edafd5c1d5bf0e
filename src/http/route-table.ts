import type { Access } from "../bus/principal.ts";
import { ACCESS_MEMBER } from "./docs/route.ts";

/** What Elysia tells of a route. */
interface ElysiaRoute {
  readonly method: string;
  readonly path: string;
  readonly handler: unknown;
  readonly hooks: { readonly detail?: { readonly [ACCESS_MEMBER]?: Access } };
}

type Handle = (context: { readonly request: Request }) => Response | Promise<Response>;

/** One method of a path. */
export interface Route {
  /** Who may call it; undefined when the route does not say. */
  readonly access: Access | undefined;
  /** Answers a request by itself; undefined when Elysia must find and call the route. */
  readonly handle: Handle | undefined;
}

type ByMethod = Map<string, Route>;

/**
 * Every route of the app: which methods each path takes (Elysia itself answers 404 to a wrong one), who may call it, and
 * by what name it is counted.
 *
 * A route that says who may call it reads of its request what it needs, and nothing of what Elysia would make of it. On
 * a path without parameters it is found here already, so it is called from here, which saves each publish a second
 * search and two promises.
 */
export class RouteTable {
  readonly #byPath = new Map<string, ByMethod>();

  constructor(routes: readonly ElysiaRoute[]) {
    for (const { method, path, handler, hooks } of routes) {
      const access = hooks.detail?.[ACCESS_MEMBER];
      const isFound = access !== undefined && !path.includes(":");
      const route: Route = { access, handle: isFound ? (handler as Handle) : undefined };
      const methods: ByMethod = this.#byPath.get(path) ?? new Map();
      this.#byPath.set(path, methods.set(method, route));
      if (method === "GET") methods.set("HEAD", route);
    }
  }

  /** Undefined when there is no such route. */
  find(method: string, path: string): Route | undefined {
    return this.#byPath.get(path)?.get(method) ?? this.#withParameter(path)?.[1].get(method);
  }

  /** Empty when there is no such path. */
  methodsOf(path: string): string[] {
    const methods = this.#byPath.get(path) ?? this.#withParameter(path)?.[1];
    return [...(methods?.keys() ?? [])];
  }

  /** The template of the routes at a path, such as `/api/events/:id`; undefined when there are none. */
  templateOf(path: string): string | undefined {
    return this.#byPath.has(path) ? path : this.#withParameter(path)?.[0];
  }

  #withParameter(path: string): [string, ByMethod] | undefined {
    const cut = path.lastIndexOf("/") + 1;
    if (path.length === cut) return undefined;
    const start = `${path.slice(0, cut)}:`;
    return this.#byPath.entries().find(([template]) => template.startsWith(start));
  }
}
