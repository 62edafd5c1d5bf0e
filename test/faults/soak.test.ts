import { expect, test } from "bun:test";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { Binary } from "../helpers/binary.ts";
import { Load, randomFrom } from "../helpers/load.ts";
import { IS_LONG, report, rounds, SEED } from "../helpers/rounds.ts";
import { Following } from "./lib/following.ts";

const SECONDS = rounds(10, 1800);
const PUBLISHERS = { single: 4, many: 2, keyed: 2 };
const SUBSCRIBERS = ["websocket", "events", "lines"] as const;
const SAMPLE_MS = Math.max(500, SECONDS);
/** How much larger the end of a long run may be than its middle: what is flat varies by this. */
const FLAT = 1.25;

interface Sample {
  readonly mib: number;
  readonly descriptors: number;
  readonly walMib: number;
  readonly fileMib: number;
}

function sampleOf({ pid, folder }: Binary): Sample {
  const [, kib] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  const mibOf = (name: string) => (statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0) / 2 ** 20;
  return {
    mib: Number(kib) / 1024,
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    walMib: mibOf("a.db-wal"),
    fileMib: mibOf("a.db"),
  };
}

function most(samples: readonly Sample[], figure: keyof Sample): number {
  return Math.max(...samples.map((sample) => sample[figure]));
}

test(
  `after ${SECONDS} seconds with everything on, nothing has grown, and every subscriber is complete`,
  async () => {
    await using server = await Binary.start({
      args: ["--db", "a.db", "--max-history", "20000", "--prune-interval", "1s"],
    });
    const load = new Load(randomFrom(SEED));
    const followings = SUBSCRIBERS.map((transport) => new Following(transport));
    const reading = followings.map((following) => following.readFrom(server.url));
    load.start(server.url, PUBLISHERS);
    const samples: Sample[] = [];
    for (const endMs = performance.now() + SECONDS * 1000; performance.now() < endMs; ) {
      await Bun.sleep(SAMPLE_MS);
      samples.push(sampleOf(server));
      if (samples.length % 8 === 0) await (await fetch(`${server.url}/api/backup`)).arrayBuffer();
      // What was received is compared as it comes; keeping it would be this process's growth.
      for (const { received } of followings) received.clear();
    }
    expect(await server.stop()).toBe(0);
    await Promise.all([load.ended(), ...reading]);
    expect(followings.map(({ transport, faults }) => ({ transport, faults }))).toEqual(
      SUBSCRIBERS.map((transport) => ({ transport, faults: [] })),
    );
    expect(load.problems.filter((code) => code !== "shutting_down")).toEqual([]);
    const [middle, end] = [
      samples.slice(samples.length / 2, samples.length * 0.75),
      samples.slice(samples.length * 0.75),
    ];
    const figures = { acknowledged: load.acknowledged, gaps: followings.reduce((sum, { gaps }) => sum + gaps, 0) };
    const shown = (figure: keyof Sample) => `${most(middle, figure).toFixed(1)}→${most(end, figure).toFixed(1)}`;
    report(`soak of ${SECONDS} s`, {
      ...figures,
      "MiB resident": shown("mib"),
      descriptors: shown("descriptors"),
      "MiB of log": shown("walMib"),
      "MiB of file": shown("fileMib"),
    });
    if (!IS_LONG) return;
    for (const figure of ["mib", "descriptors", "walMib", "fileMib"] as const) {
      expect({ figure, hasGrown: most(end, figure) > most(middle, figure) * FLAT }).toEqual({
        figure,
        hasGrown: false,
      });
    }
  },
  SECONDS * 2000 + 60_000,
);
