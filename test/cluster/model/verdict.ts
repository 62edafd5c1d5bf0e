import type { Cluster, Node } from "../../helpers/cluster.ts";
import type { Received, Record } from "./record.ts";

const PAGE = 10_000;
const PAGE_MS = 60_000;

/** Which promise does not hold, in words; undefined if all do. All nodes must be ready, and have the same head. */
export async function breachOf(
  cluster: Cluster,
  record: Record,
  readers: readonly Received[],
): Promise<string | undefined> {
  const histories = await Promise.all(cluster.nodes.map(historyOf));
  const [history = []] = histories;
  return (
    record.contradictions[0] ??
    differenceOf(histories) ??
    disorderOf(history) ??
    lossOf(history, record) ??
    readers.map((received) => missedBy(received, history)).find((breach) => breach !== undefined)
  );
}

/** Every event that the node has, as lines. */
export async function historyOf(node: Node): Promise<string[]> {
  const history: string[] = [];
  for (;;) {
    const query = `after=${history.length}&last=${PAGE}`;
    const init = { headers: { Accept: "application/x-ndjson" }, signal: AbortSignal.timeout(PAGE_MS) };
    const answer = await node.ask(`/api/events/history?${query}`, init);
    const text = await answer.text();
    if (!answer.ok) throw new Error(`the history of ${node.url} cannot be read: ${text}`);
    const lines = text.split("\n").filter(Boolean);
    for (const line of lines) history.push(line);
    if (lines.length < PAGE) return history;
  }
}

/** Where the nodes' whole histories diverge; undefined if they are the same. */
function differenceOf(histories: readonly (readonly string[])[]): string | undefined {
  const hashes = histories.map((lines) => new Bun.CryptoHasher("sha256").update(lines.join("\n")).digest("hex"));
  if (new Set(hashes).size === 1) return undefined;
  const [first = []] = histories;
  for (const [index, line] of first.entries()) {
    const others = histories.map((lines) => lines[index]);
    if (others.some((other) => other !== line))
      return `the nodes differ from event ${index + 1} on: ${others.join(" | ")}`;
  }
  return `the nodes have ${histories.map(({ length }) => length).join(", ")} events`;
}

function disorderOf(history: readonly string[]): string | undefined {
  let lastAt = "";
  for (const [index, line] of history.entries()) {
    const { id, created_at }: { id: number; created_at: string } = JSON.parse(line);
    if (id !== index + 1) return `event ${index + 1} has the id ${id}`;
    if (created_at < lastAt) return `event ${id} is of ${created_at}, the one before of ${lastAt}`;
    lastAt = created_at;
  }
  return undefined;
}

function lossOf(history: readonly string[], { acknowledged, sent }: Record): string | undefined {
  const ids = new Map<string, number>();
  for (const [index, line] of history.entries()) {
    const { data }: { data: { value: string } } = JSON.parse(line);
    const before = ids.get(data.value);
    if (before !== undefined) return `${data.value} is stored twice, as ${before} and ${index + 1}`;
    if (!sent.has(data.value)) return `${data.value} is stored, and was never sent`;
    ids.set(data.value, index + 1);
  }
  for (const [value, id] of acknowledged) {
    if (ids.get(value) !== id) return `${value} was acknowledged as ${id}, and is stored as ${ids.get(value)}`;
  }
  return undefined;
}

function missedBy({ breach, lines, last, name }: Received, history: readonly string[]): string | undefined {
  if (breach !== undefined) return breach;
  if (last !== history.length) return `${name} got ${last} of ${history.length} events`;
  for (const [id, line] of lines) if (history[id - 1] !== line) return `${name} got another event ${id}: ${line}`;
  return undefined;
}
