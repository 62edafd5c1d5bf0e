/** A fenced block of a page. */
export interface Block {
  /** After the opening fence; empty when there is none. */
  readonly language: string;
  readonly text: string;
  /** What an HTML comment `<!-- run: … -->` right before the fence says; readers do not see it. */
  readonly mark: string | undefined;
  /** Line of the opening fence, from 1. */
  readonly line: number;
}

/** Every fenced block, in order. */
export function blocksOf(page: string): Block[] {
  const blocks: Block[] = [];
  const fences = /(?:^<!-- run: (?<mark>.+?) -->\n)?^(?<fence>```+)(?<language>.*)\n(?<text>[\s\S]*?)^\k<fence>$/gm;
  for (const match of page.matchAll(fences)) {
    const { mark, language = "", text = "" } = match.groups ?? {};
    const fenceAt = match.index + (mark === undefined ? 0 : match[0].indexOf("\n") + 1);
    const line = page.slice(0, fenceAt).split("\n").length;
    blocks.push({ language: language.trim(), text, mark, line });
  }
  return blocks;
}

/** Where the page links to, code aside. */
export function linksOf(page: string): string[] {
  const prose = withoutCode(page);
  const inline = [...prose.matchAll(/\]\(([^)\s]+)\)/g)];
  const html = [...prose.matchAll(/\b(?:href|src|srcset)="([^"]+)"/g)];
  return [...inline, ...html].map(([, target = ""]) => target);
}

/** What can be named after a `#`: headings as GitHub names them, and anchors of HTML. */
export function anchorsOf(page: string): Set<string> {
  const anchors = new Set<string>();
  const prose = withoutFences(page);
  for (const [, title = ""] of prose.matchAll(/^#{1,6} +(.+?) *#*$/gm)) {
    const slug = slugOf(title);
    let anchor = slug;
    for (let n = 1; anchors.has(anchor); n++) anchor = `${slug}-${n}`;
    anchors.add(anchor);
  }
  for (const [, id = ""] of prose.matchAll(/\b(?:id|name)="([^"]+)"/g)) anchors.add(id);
  return anchors;
}

function slugOf(title: string): string {
  const text = title.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1");
  return text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{M}_ -]/gu, "")
    .replaceAll(" ", "-");
}

function withoutCode(page: string): string {
  return withoutFences(page).replace(/(`+)[\s\S]*?\1/g, "");
}

function withoutFences(page: string): string {
  return page.replace(/^(```+)[\s\S]*?^\1$/gm, "");
}
