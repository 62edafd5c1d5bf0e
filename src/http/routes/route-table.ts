import type { Route } from "./route.ts";

type ByMethod = Map<string, Route>;

/** Every route of the server: which methods a path accepts, and under which name its requests are counted. */
export class RouteTable {
  readonly #byPath = new Map<string, ByMethod>();
  /** Routes with a parameter as their last segment, by the part before it. */
  readonly #byParent = new Map<string, { readonly template: string; readonly methods: ByMethod }>();

  constructor(routes: readonly Route[]) {
    for (const route of routes) {
      const methods: ByMethod = this.#byPath.get(route.path) ?? new Map();
      this.#byPath.set(route.path, methods.set(route.method, route));
      if (route.method === "GET") methods.set("HEAD", route);
      const [parent = "", parameter] = route.path.split(":");
      if (parameter !== undefined) this.#byParent.set(parent, { template: route.path, methods });
    }
  }

  /** Undefined if there is no such route. */
  find(method: string, path: string): Route | undefined {
    return this.#methodsAt(path)?.get(method);
  }

  /** Empty if there is no such path. */
  methodsOf(path: string): string[] {
    return [...(this.#methodsAt(path)?.keys() ?? [])];
  }

  /** The template of the routes at a path, such as `/api/events/:id`; undefined if there are none. */
  templateOf(path: string): string | undefined {
    return this.#byPath.has(path) ? path : this.#withParameter(path)?.template;
  }

  #methodsAt(path: string): ByMethod | undefined {
    return this.#byPath.get(path) ?? this.#withParameter(path)?.methods;
  }

  #withParameter(path: string) {
    const cut = path.lastIndexOf("/") + 1;
    return path.length === cut ? undefined : this.#byParent.get(path.slice(0, cut));
  }
}
