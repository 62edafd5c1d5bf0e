import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { Binary } from "../helpers/binary.ts";
import { Load, randomFrom } from "../helpers/load.ts";
import { describeWith } from "../helpers/requires.ts";
import { report, rounds, SEED } from "../helpers/rounds.ts";
import { TempFolder } from "../helpers/temp.ts";

const EVENTS = rounds(2000, 50_000);
const PUBLISHERS = { single: 3, many: 2, keyed: 2, socket: 2 };
/** Characters of each text in a trace: more than the head of an answer and the beginning of its body. */
const SHOWN_CHARACTERS = 600;

/** A response to a publish over HTTP, or the acknowledgement of a frame. */
const ANSWER = /^(sendto|sendmsg|write|writev)\(.*(HTTP\/1\.1 200.*\\"(id|first_id)\\":|\\"type\\":\\"ack\\")/;

/** Publishes to a server under strace; the trace of the thread that does all its input and output. */
async function trace(strace: string, args: readonly string[]): Promise<string[]> {
  using folder = TempFolder.onDisk();
  await using binary = await Binary.start({ folder: folder.path, args: ["--db", folder.file(), ...args] });
  const calls = "trace=pwrite64,fsync,fdatasync,sendto,sendmsg,write,writev";
  const traced = Bun.spawn(
    [strace, "-y", "-s", `${SHOWN_CHARACTERS}`, "-e", calls, "-o", folder.file("trace"), "-p", `${binary.pid}`],
    { stdout: "ignore", stderr: "pipe" },
  );
  const { value } = await traced.stderr.getReader().read();
  expect(new TextDecoder().decode(value)).toContain("attached");
  const load = new Load(randomFrom(SEED));
  load.start(binary.url, PUBLISHERS);
  await load.untilAcknowledged(EVENTS);
  await binary.kill();
  await load.ended();
  await traced.exited;
  return readFileSync(folder.file("trace"), "utf8").split("\n");
}

/** Counts the answers to publishes, and those that left before what was written to the log was on the disk. */
function countAnswers(lines: readonly string[]): { answers: number; early: number } {
  let [answers, early, isDirty] = [0, 0, false];
  for (const line of lines) {
    if (/^pwrite64\(\d+<[^>]*-wal>/.test(line)) isDirty = true;
    else if (/^(fsync|fdatasync)\(\d+<[^>]*-wal>\) += 0/.test(line)) isDirty = false;
    else if (ANSWER.test(line)) {
      answers++;
      if (isDirty) early++;
    }
  }
  return { answers, early };
}

describeWith("strace", "the order of system calls", (strace) => {
  test("puts the fsync of an event before its answer", async () => {
    const { answers, early } = countAnswers(await trace(strace, ["--max-history", "500", "--prune-interval", "100ms"]));
    report("order of fsync and answer", { answers, early });
    expect(answers).toBeGreaterThan(100);
    expect(early).toBe(0);
  }, 240_000);

  test("shows responses before the fsync if there is no fsync", async () => {
    const { early } = countAnswers(await trace(strace, ["--durability", "os"]));
    expect(early).toBeGreaterThan(100);
  }, 240_000);
});
