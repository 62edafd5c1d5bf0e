import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { childEnvironment } from "../../src/config.ts";
import { ServerProcess } from "../client/server-process.ts";
import { publishNumbers } from "../helpers/dashboard.ts";
import { publish } from "../helpers/http.ts";
import { describeWith, type Program } from "../helpers/requires.ts";
import { TempFolder } from "../helpers/temp.ts";

const AGENTS = join(import.meta.dir, "agents");
/** Where Go keeps what it has compiled, from one run of the tests to the next. */
const GO_CACHE = "/tmp/eventbus-go-cache";
/** Compiling may take this long on a machine that has never done it. */
const BUILD_MS = 180_000;

/** What an agent is to do with its client. */
interface Task {
  readonly do: "publish" | "history" | "subscribe";
  readonly url: string;
  readonly [member: string]: unknown;
}

/** What an agent prints, one per line. */
interface Said {
  readonly event?: number;
  readonly topic?: string;
  readonly events?: readonly number[];
  readonly gap?: readonly [after: number, next: number];
  readonly state?: string;
  readonly error?: string;
}

interface Client {
  readonly program: Program;
  /** The command of its agent; what it compiles goes into the folder. */
  command(path: string, folder: string): string[];
}

const clients: Readonly<Record<string, Client>> = {
  TypeScript: { program: "bash", command: () => [process.execPath, join(AGENTS, "agent.ts")] },
  Python: { program: "python3", command: (path) => [path, "-B", join(AGENTS, "agent.py")] },
  Go: {
    program: "go",
    command: (path, folder) => {
      const agent = join(folder, "agent");
      const env = childEnvironment({ GOCACHE: GO_CACHE, GOFLAGS: "-mod=mod", GOPROXY: "off" });
      const { exitCode, stderr } = Bun.spawnSync([path, "build", "-o", agent], { cwd: join(AGENTS, "go"), env });
      if (exitCode !== 0) throw new Error(stderr.toString());
      return [agent];
    },
  },
};

/** A running agent, and what it prints, in order. */
class Agent implements Disposable {
  readonly #child: Bun.Subprocess<"ignore", "pipe", "inherit">;
  readonly #lines: AsyncIterator<Said>;
  readonly said: Said[] = [];

  constructor(command: readonly string[], task: Task) {
    this.#child = Bun.spawn([...command, JSON.stringify(task)], { stdin: "ignore", stdout: "pipe", stderr: "inherit" });
    this.#lines = linesOf(this.#child.stdout);
  }

  get events(): number[] {
    return this.said.flatMap(({ event }) => event ?? []);
  }

  /** Reads until the agent has said something that matches, and returns it. */
  async until(isIt: (said: Said) => boolean): Promise<Said> {
    for (;;) {
      const { value, done } = await this.#lines.next();
      if (done) throw new Error(`the agent ended: ${JSON.stringify(this.said.slice(-5))}`);
      this.said.push(value);
      if (isIt(value)) return value;
    }
  }

  [Symbol.dispose](): void {
    this.#child.kill("SIGKILL");
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<Said> {
  let text = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (text + chunk).split("\n");
    text = lines.pop() ?? "";
    for (const line of lines) yield JSON.parse(line) as Said;
  }
}

const range = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, index) => first + index);

for (const [name, { program, command }] of Object.entries(clients)) {
  describeWith(program, `the ${name} client`, (path) => {
    const folder = new TempFolder();
    let agent: readonly string[] = [];
    beforeAll(() => {
      agent = command(path, folder.path);
    }, BUILD_MS);
    afterAll(() => folder[Symbol.dispose]());

    async function ask(task: Task): Promise<Said> {
      using one = new Agent(agent, task);
      return await one.until(() => true);
    }

    test("publishes once with a key, reads history, and says why it was refused", async () => {
      await using server = await ServerProcess.start();
      const task = {
        do: "publish",
        url: server.url,
        topic: "a.b",
        data: { total: 1 },
        source: "shop",
        key: "k",
      } as const;
      expect([await ask(task), await ask(task)]).toEqual([{ event: 1 }, { event: 1 }]);
      expect(await ask({ ...task, key: "other" })).toEqual({ event: 2 });
      expect(await ask({ do: "history", url: server.url, pattern: "a.*", last: 10 })).toEqual({ events: [2, 1] });
      expect(await ask({ ...task, topic: "a b", key: "third" })).toEqual({ error: "topic_invalid" });
      const kept = await (await fetch(`${server.url}/api/events/1`)).json();
      expect(kept).toMatchObject({ data: { total: 1 }, source: "shop" });
    });

    test("gets every event once, in order, while the server is killed and comes back", async () => {
      await using server = await ServerProcess.start();
      await publishNumbers(server.url, 100);
      using subscriber = new Agent(agent, { do: "subscribe", url: server.url, pattern: "*", since: "all" });
      await subscriber.until(({ event }) => event === 100);
      for (let round = 1; round <= 3; round++) {
        await server.kill();
        await server.start();
        await publishNumbers(server.url, 100);
        await subscriber.until(({ event }) => event === 100 * (round + 1));
      }
      expect(subscriber.events).toEqual(range(1, 400));
      expect(subscriber.said.filter(({ gap }) => gap)).toEqual([]);
    });

    test("misses nothing while the connection is broken, though it began live and had seen no event", async () => {
      await using server = await ServerProcess.start();
      await publish(server.url, "before");
      using subscriber = new Agent(agent, { do: "subscribe", url: server.url, pattern: "*" });
      await subscriber.until(({ state }) => state === "open");
      // `open` is reported when the response's head has arrived; the position follows right behind it.
      await Bun.sleep(500);
      await server.kill();
      await server.start();
      await publish(server.url, "meanwhile");
      expect(await subscriber.until(({ event }) => event !== undefined)).toEqual({ event: 2, topic: "meanwhile" });
    });

    test("reports the gap that retention has left, in its place", async () => {
      await using server = await ServerProcess.start(["--max-history", "10"]);
      await publishNumbers(server.url, 100);
      await fetch(`${server.url}/api/events/prune`, { method: "POST" });
      using subscriber = new Agent(agent, { do: "subscribe", url: server.url, pattern: "*", since: "5" });
      await subscriber.until(({ event }) => event === 100);
      expect(subscriber.said.filter(({ state }) => state === undefined)[0]).toEqual({ gap: [5, 91] });
      expect(subscriber.events).toEqual(range(91, 100));
    });

    test("gets what its token may read, and ends when it may read nothing", async () => {
      await using server = await ServerProcess.start();
      const make = async (token: object, by?: string) => {
        const headers = by === undefined ? {} : { Authorization: `Bearer ${by}` };
        const init = { method: "POST", headers, body: JSON.stringify(token) };
        return ((await (await fetch(`${server.url}/api/tokens`, init)).json()) as { secret: string }).secret;
      };
      const root = await make({ name: "root", admin: true });
      const reader = await make({ name: "reader", subscribe: ["a.*"] }, root);
      const send = (topic: string) => ask({ do: "publish", url: server.url, token: root, topic, data: 1 });
      for (const topic of ["a.x", "b.x", "a.y"]) await send(topic);
      using subscriber = new Agent(agent, {
        do: "subscribe",
        url: server.url,
        token: reader,
        pattern: "*",
        since: "all",
      });
      await subscriber.until(({ event }) => event === 3);
      expect(subscriber.events).toEqual([1, 3]);
      const forbidden = { do: "publish", url: server.url, token: reader, topic: "a.x", data: 1 } as const;
      expect(await ask(forbidden)).toEqual({ error: "scope_insufficient" });
      using stranger = new Agent(agent, { do: "subscribe", url: server.url, token: "ebt_wrong", pattern: "*" });
      expect((await stranger.until(({ error }) => error !== undefined)).error).toBe("token_invalid");
    });

    test("reads slowly, and gets everything", async () => {
      await using server = await ServerProcess.start();
      await publishNumbers(server.url, 500);
      const task = { do: "subscribe", url: server.url, pattern: "*", since: "all", pauseMs: 2 } as const;
      using subscriber = new Agent(agent, task);
      await subscriber.until(({ event }) => event === 50);
      await publishNumbers(server.url, 500);
      await subscriber.until(({ event }) => event === 1000);
      expect(subscriber.events).toEqual(range(1, 1000));
    });
  });
}
