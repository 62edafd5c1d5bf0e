import { useEffect, useReducer } from "preact/hooks";

/** A changing value, with listeners. */
export class Store {
  readonly #listeners = new Set<() => void>();

  /** Calls the listener after every change. The returned function ends that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  protected changed(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

/** Renders the component again after the stores have changed, at most once per frame. */
export function useStores(...stores: readonly Store[]): void {
  const [, show] = useReducer((count: number) => count + 1, 0);
  useEffect(() => {
    let frame = 0;
    const request = () => {
      frame ||= requestAnimationFrame(() => {
        frame = 0;
        show(undefined);
      });
    };
    const ends = stores.map((store) => store.onChange(request));
    // There may have been changes between the first rendering and now.
    request();
    return () => {
      cancelAnimationFrame(frame);
      for (const end of ends) end();
    };
  }, stores);
}
