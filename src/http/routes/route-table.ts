import { type Route, segmentAt } from "./route.ts";

type ByMethod = Map<string, Route>;

/** The paths that differ only in one segment. */
interface Template {
  /** Such as `/api/events/:id`. */
  readonly path: string;
  readonly methods: ByMethod;
}

/** Every route of the server: which methods a path accepts, and under which name its requests are counted. */
export class RouteTable {
  readonly #byPath = new Map<string, ByMethod>();
  /** Routes with a parameter, by the part before it, and by the part after it. */
  readonly #byPrefix = new Map<string, Map<string, Template>>();

  constructor(routes: readonly Route[]) {
    for (const route of routes) {
      const methods: ByMethod = this.#byPath.get(route.path) ?? new Map();
      this.#byPath.set(route.path, methods.set(route.method, route));
      if (route.method === "GET") methods.set("HEAD", route);
      const start = route.path.indexOf(":");
      if (start === -1) continue;
      const prefix = route.path.slice(0, start);
      const suffix = route.path.slice(start + segmentAt(route.path, start).length);
      const bySuffix = this.#byPrefix.get(prefix) ?? new Map<string, Template>();
      this.#byPrefix.set(prefix, bySuffix.set(suffix, { path: route.path, methods }));
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
    return this.#byPath.has(path) ? path : this.#withParameter(path)?.path;
  }

  #methodsAt(path: string): ByMethod | undefined {
    return this.#byPath.get(path) ?? this.#withParameter(path)?.methods;
  }

  #withParameter(path: string): Template | undefined {
    for (const [prefix, bySuffix] of this.#byPrefix) {
      if (!path.startsWith(prefix)) continue;
      const segment = segmentAt(path, prefix.length);
      const found = segment === "" ? undefined : bySuffix.get(path.slice(prefix.length + segment.length));
      if (found) return found;
    }
    return undefined;
  }
}
