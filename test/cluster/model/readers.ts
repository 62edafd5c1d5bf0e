import { connect } from "../../../src/client/index.ts";
import type { Cluster } from "../../helpers/cluster.ts";
import { TestSocket } from "../../helpers/socket.ts";
import type { Random } from "../../model/random.ts";
import { Received } from "./record.ts";

const PAUSE_MS = 50;
/** When nothing comes from a stream for this long, the node may be frozen. */
const SILENCE_MS = 4000;

/** A subscriber to everything, from the first event on, that moves from node to node. */
export interface Reader {
  readonly received: Received;
  stop(): Promise<void>;
}

/** One reader of each transport. */
export function readersOf(cluster: Cluster, random: Random): readonly Reader[] {
  return [
    byClient(cluster),
    moving("socket", cluster, random, readSocket),
    moving("lines", cluster, random, readLines),
  ];
}

function byClient(cluster: Cluster): Reader {
  const received = new Received("the SDK");
  const bus = connect(cluster.urls, { silenceMs: SILENCE_MS });
  const subscription = bus.subscribe("*", {
    since: "all",
    onGap: ({ after, next }) => {
      received.breach ??= `the SDK reported a gap from ${after} to ${next}`;
    },
  });
  const running = (async () => {
    for await (const { json } of subscription) received.take(json);
  })();
  return {
    received,
    async stop() {
      bus.close();
      await running;
    },
  };
}

/** Reads from one node until it ends, or until it has taken as many events as it wants there. */
type ReadSome = (url: string, received: Received, limit: number, signal: AbortSignal) => Promise<void>;

function moving(name: string, cluster: Cluster, random: Random, read: ReadSome): Reader {
  const received = new Received(name);
  const stopping = new AbortController();
  const run = async () => {
    while (!stopping.signal.aborted) {
      const { url } = random.pick(cluster.nodes);
      await read(url, received, random.whole(1, 300), stopping.signal).catch(() => {});
      await Bun.sleep(PAUSE_MS);
    }
  };
  const running = run();
  return {
    received,
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

async function readSocket(url: string, received: Received, limit: number, signal: AbortSignal): Promise<void> {
  const since = received.last === 0 ? "all" : received.last;
  using socket = await TestSocket.open(url, `pattern=*&since=${since}`);
  const close = () => socket.close();
  signal.addEventListener("abort", close);
  try {
    for (let left = limit; left > 0; ) {
      const line = await within(SILENCE_MS, socket.next());
      if (isControl(line, received)) continue;
      received.take(line);
      left--;
    }
  } finally {
    signal.removeEventListener("abort", close);
  }
}

async function readLines(url: string, received: Received, limit: number, signal: AbortSignal): Promise<void> {
  const since = received.last === 0 ? "all" : received.last;
  const leaving = new AbortController();
  const init = { headers: { Accept: "application/x-ndjson" }, signal: AbortSignal.any([signal, leaving.signal]) };
  try {
    const response = await within(SILENCE_MS, fetch(`${url}/api/events/stream?pattern=*&since=${since}`, init));
    if (!response.ok) {
      if (response.status < 500) received.breach ??= `lines were rejected: ${await response.text()}`;
      return;
    }
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let [text, left] = ["", limit];
    while (reader && left > 0) {
      const { value, done } = await within(SILENCE_MS, reader.read());
      if (done) return;
      const lines = `${text}${value}`.split("\n");
      text = lines.pop() ?? "";
      for (const line of lines) {
        if (line === "" || isControl(line, received)) continue;
        received.take(line);
        left--;
      }
    }
  } finally {
    leaving.abort();
  }
}

function isControl(line: string, received: Received): boolean {
  if (!line.startsWith('{"type"')) return false;
  if (line.includes('"gap"')) received.breach ??= `${received.name} got ${line}`;
  return true;
}

async function within<T>(limitMs: number, work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("silence")), limitMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
