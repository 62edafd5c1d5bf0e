import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Binary } from "../helpers/binary.ts";
import { TestSocket } from "../helpers/socket.ts";
import { TempFolder } from "../helpers/temp.ts";

/** A webhook that GitHub has sent, as its topic and its JSON with the line breaks that people like. */
interface Webhook {
  readonly topic: string;
  readonly text: string;
}

/** Every payload of every GitHub version in the package; `github.push` has no action. */
function readWebhooks(): Webhook[] {
  const root = dirname(fileURLToPath(import.meta.resolve("@octokit/webhooks-examples/package.json")));
  const files = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith("/index.json"));
  return files.toSorted().flatMap((file) => {
    const events = JSON.parse(readFileSync(join(root, file), "utf8")) as { name: string; examples: object[] }[];
    return events.flatMap(({ name, examples }) =>
      examples.map((payload) => {
        const action = "action" in payload ? `.${payload.action}` : "";
        return { topic: `github.${name}${action}`, text: JSON.stringify(payload, null, 2) };
      }),
    );
  });
}

const webhooks = readWebhooks();
const folder = new TempFolder();
const bodies = new TempFolder();
/** What came of each: the answer to curl, and the frame that the subscriber got. */
let answers: string[] = [];
const frames: string[] = [];

beforeAll(async () => {
  await using binary = await Binary.start({ folder: folder.path });
  using socket = await TestSocket.open(binary.url, `pattern=${encodeURIComponent("github.*")}`);
  answers = await publishWithCurl(binary.url);
  for (const _ of webhooks) frames.push(await socket.next());
  expect(await binary.stop()).toBe(0);
});

afterAll(() => {
  folder[Symbol.dispose]();
  bodies[Symbol.dispose]();
});

/** One curl for all of them, each a request of its own; every other one with the type that curl sends by itself. */
async function publishWithCurl(url: string): Promise<string[]> {
  const requests = webhooks.map(({ topic, text }, index) => {
    const file = bodies.file(`${index}.json`);
    writeFileSync(file, text);
    const type = index % 2 === 0 ? "" : 'header = "Content-Type: application/json"\n';
    return `url = "${url}/api/events/publish/${topic}?source=github"\ndata-binary = "@${file}"\n${type}write-out = "\\n"\n`;
  });
  const config = bodies.file("curl.txt");
  writeFileSync(config, requests.join("next\n"));
  const curl = Bun.spawn(["curl", "--silent", "--show-error", "--fail", "--config", config], { stderr: "inherit" });
  const output = await new Response(curl.stdout).text();
  expect(await curl.exited).toBe(0);
  return output.trimEnd().split("\n");
}

/** JSON without the white space that means nothing; digits, escapes and the order of keys stay as they are. */
function withoutSpace(json: string): string {
  return json.replace(/("(?:[^"\\]|\\.)*")|\s+/g, "$1");
}

/** What was published, as the text of an event says. */
function webhookOf(event: string): Webhook {
  const parts = /^\{"id":\d+,"topic":"([^"]+)","data":(.*),"source":"github","created_at":"[^"]+"\}$/.exec(event);
  return { topic: parts?.[1] ?? "", text: withoutSpace(parts?.[2] ?? "") };
}

const expected = webhooks.map(({ topic, text }) => ({ topic, text: withoutSpace(text) }));

test("there are hundreds of webhooks, of many kinds", () => {
  expect(webhooks.length).toBeGreaterThan(700);
  expect(new Set(webhooks.map(({ topic }) => topic)).size).toBeGreaterThan(150);
});

test("every webhook is in the answer to its publish, byte for byte", () => {
  expect(answers.map(webhookOf)).toEqual(expected);
});

test("every webhook is in a frame, in the order of publishing", () => {
  expect(frames).toEqual(answers);
});

test("every webhook is in history after a restart", async () => {
  await using binary = await Binary.start({ folder: folder.path });
  expect(binary.stderr).toContain(`(${webhooks.length} events)`);
  const lines = await fetch(`${binary.url}/api/events/history?last=10000&after=0`, {
    headers: { Accept: "application/x-ndjson" },
  });
  expect((await lines.text()).trimEnd().split("\n")).toEqual(frames);
  const array = await fetch(`${binary.url}/api/events/history?last=10000`);
  expect(await array.text()).toBe(`[${frames.toReversed().join(",")}]`);
});

test("every webhook is replayed to a subscriber that comes later", async () => {
  await using binary = await Binary.start({ folder: folder.path });
  using socket = await TestSocket.open(binary.url, "since=all");
  for (const frame of frames) expect(await socket.next()).toBe(frame);
  expect(await socket.nextJson()).toEqual({ type: "caught_up", id: webhooks.length });
});

test("every kind of webhook is found by its topic", async () => {
  await using binary = await Binary.start({ folder: folder.path });
  for (const pattern of ["github.push", "github.issues.*", "github.{star,fork}*", "github.*_run.completed"]) {
    const answer = await fetch(`${binary.url}/api/events/history?last=10000&topic=${encodeURIComponent(pattern)}`);
    const wanted = frames.filter((frame) => new Bun.Glob(pattern).match(webhookOf(frame).topic));
    expect(wanted.length).toBeGreaterThan(0);
    expect(await answer.text()).toBe(`[${wanted.toReversed().join(",")}]`);
  }
});
