import { useEffect, useState } from "preact/hooks";

export const views = ["live", "history", "topics", "consumers", "publish", "tokens", "health"] as const;
export type View = (typeof views)[number] | "event";

/** The part of the address after `#`: the view, and its filters. Never a token. */
export interface Route {
  readonly view: View;
  /** The event, when that is the view. */
  readonly id: number | undefined;
  /** The consumer, when the view is one of those. */
  readonly name: string | undefined;
  readonly query: Readonly<Record<string, string>>;
}

/** Reads `#/history?topic=orders.*`, `#/event/42`, `#/consumers/billing`. Anything unknown is the live view. */
export function parseRoute(hash: string): Route {
  const [path = "", search = ""] = splitOnce(hash.replace(/^#\/?/, ""), "?");
  const [name, rest] = splitOnce(path, "/");
  const query = Object.fromEntries(new URLSearchParams(search));
  if (name === "event" && /^\d{1,16}$/.test(rest)) return { view: "event", id: Number(rest), name: undefined, query };
  const view = views.find((one) => one === name) ?? "live";
  return { view, id: undefined, name: view === "consumers" && rest !== "" ? rest : undefined, query };
}

type Filters = Readonly<Record<string, string | number | undefined>>;

/** The address of a view; empty filters are omitted. */
export function routeTo(view: View, query: Filters = {}): string {
  return addressOf(view, query);
}

/** The address of a consumer's page, which needs no escapes. */
export function routeToConsumer(name: string, query: Filters = {}): string {
  return addressOf(`consumers/${name}`, query);
}

export function routeToEvent(id: number): string {
  return `#/event/${id}`;
}

/**
 * Something that is chosen in a view, and kept in the query of the address under this name; empty: the default. Changing
 * it adds no step for Back.
 */
export function useChoice(name: string): readonly [value: string, choose: (value: string) => void] {
  const value = useRoute().query[name] ?? "";
  const choose = (chosen: string) => {
    const { view, id, query } = parseRoute(location.hash);
    const address = routeTo(view, { ...query, [name]: chosen });
    location.replace(id === undefined ? address : address.replace("#/event", routeToEvent(id)));
  };
  return [value, choose];
}

export function go(hash: string): void {
  location.hash = hash;
}

/** The current route; renders the component again when it changes. */
export function useRoute(): Route {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const follow = () => setHash(location.hash);
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  return parseRoute(hash);
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}

function addressOf(path: string, query: Filters): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== "") search.set(name, String(value));
  }
  const text = search.toString();
  return `#/${path}${text === "" ? "" : `?${text}`}`;
}
