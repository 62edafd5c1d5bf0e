/** A link to another page; only its text if there is no such page. */
export function PageLink({ words, to }: { readonly words: string; readonly to: string | undefined }) {
  return to === undefined ? <span class="off">{words}</span> : <a href={to}>{words}</a>;
}
