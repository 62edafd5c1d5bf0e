interface Node<T> {
  /** The text between the node above and this one. Only the root's is empty. */
  label: string;
  value: T | undefined;
  /** By the first code unit of their labels. */
  children: Map<number, Node<T>> | undefined;
}

/**
 * Maps prefixes (or suffixes) to values, and finds the values of all those that a text has. A radix tree: the cost of a
 * search is that of the values found and the forks on the way, however many other affixes there are.
 */
export class AffixTree<T> {
  readonly #isOfEnds: boolean;
  readonly #root: Node<T> = { label: "", value: undefined, children: undefined };

  constructor(side: "prefixes" | "suffixes") {
    this.#isOfEnds = side === "suffixes";
  }

  get isEmpty(): boolean {
    return this.#root.value === undefined && this.#root.children === undefined;
  }

  /** The value of exactly this affix. */
  get(affix: string): T | undefined {
    let node: Node<T> | undefined = this.#root;
    let compared = 0;
    while (node !== undefined && compared < affix.length) {
      node = this.#below(node, affix, compared);
      compared += node?.label.length ?? 0;
    }
    return node?.value;
  }

  set(affix: string, value: T): void {
    let node = this.#root;
    for (let compared = 0; compared < affix.length; compared += node.label.length) {
      node = this.#step(node, affix, compared);
    }
    node.value = value;
  }

  delete(affix: string): void {
    this.#delete(this.#root, affix, 0);
  }

  /** Adds to `found` the values of all affixes that the text has, shortest first. */
  addAllOf(text: string, found: T[]): void {
    let node: Node<T> | undefined = this.#root;
    let compared = 0;
    while (node !== undefined) {
      if (node.value !== undefined) found.push(node.value);
      node = this.#below(node, text, compared);
      compared += node?.label.length ?? 0;
    }
  }

  /** The node to which the text leads. */
  #below(node: Node<T>, text: string, compared: number): Node<T> | undefined {
    const child = node.children?.get(this.#next(text, compared));
    if (child === undefined || child.label.length === 1) return child;
    const { label } = child;
    const goesOn = this.#isOfEnds ? text.endsWith(label, text.length - compared) : text.startsWith(label, compared);
    return goesOn ? child : undefined;
  }

  /** The code unit after those already compared; NaN if there is none. */
  #next(text: string, compared: number): number {
    return text.charCodeAt(this.#isOfEnds ? text.length - 1 - compared : compared);
  }

  /** The rest of a label after its first code units. */
  #beyond(label: string, units: number): string {
    return this.#isOfEnds ? label.slice(0, label.length - units) : label.slice(units);
  }

  /** The first code units of a label. */
  #upTo(label: string, units: number): string {
    return this.#isOfEnds ? label.slice(label.length - units) : label.slice(0, units);
  }

  #join(upper: string, lower: string): string {
    return this.#isOfEnds ? lower + upper : upper + lower;
  }

  /** The node one step below on the way to the affix; created if there is none. */
  #step(node: Node<T>, affix: string, compared: number): Node<T> {
    const key = this.#next(affix, compared);
    const rest = this.#beyond(affix, compared);
    node.children ??= new Map();
    const child = node.children.get(key);
    const next =
      child === undefined
        ? { label: rest, value: undefined, children: undefined }
        : this.#split(child, this.#sharedUnits(child.label, rest));
    node.children.set(key, next);
    return next;
  }

  /** The node with the first code units of the label, the rest of it in a node of its own. */
  #split(node: Node<T>, units: number): Node<T> {
    if (units === node.label.length) return node;
    const upper = this.#upTo(node.label, units);
    node.label = this.#beyond(node.label, units);
    return { label: upper, value: undefined, children: new Map([[this.#next(node.label, 0), node]]) };
  }

  #sharedUnits(a: string, b: string): number {
    const most = Math.min(a.length, b.length);
    let units = 0;
    while (units < most && this.#next(a, units) === this.#next(b, units)) units++;
    return units;
  }

  #delete(node: Node<T>, affix: string, compared: number): void {
    if (compared === affix.length) node.value = undefined;
    const child = compared === affix.length ? undefined : this.#below(node, affix, compared);
    if (child === undefined) return;
    const key = this.#next(affix, compared);
    this.#delete(child, affix, compared + child.label.length);
    const left = this.#condensed(child);
    if (left) node.children?.set(key, left);
    else node.children?.delete(key);
    if (node.children?.size === 0) node.children = undefined;
  }

  /** What must remain of a node: nothing if it is empty, one node if it only leads to another. */
  #condensed(node: Node<T>): Node<T> | undefined {
    if (node.value !== undefined) return node;
    const [child, another] = node.children?.values() ?? [];
    if (child === undefined || another !== undefined) return child && node;
    child.label = this.#join(node.label, child.label);
    return child;
  }
}
