import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Binary } from "../../helpers/binary.ts";
import { publish } from "../../helpers/http.ts";
import { residentMib } from "./usage.ts";

/** The least time that a sample covers, in milliseconds. */
const MIN_SAMPLE_MS = 500;
/** Samples of a long run. */
const MAX_SAMPLES = 1000;
const PROBE_MS = 50;
/** Samples between two backups. */
const BACKUP_SAMPLES = 8;
const READS = ["history?last=100&pattern=load.*", "history?source=none"];
const OTHER_READS = ["/api/topics", "/api/stats", "/metrics"];

export interface Sample {
  readonly mib: number;
  readonly descriptors: number;
  readonly walMib: number;
  readonly fileMib: number;
  readonly eventsPerSecond: number;
  /** The median and the longest time of the probe's publishes. */
  readonly medianMs: number;
  readonly longestMs: number;
}

/** Measures a server while it works, and reads from it and makes backups as well. */
export class Sampler {
  readonly #server: Binary;
  readonly #seconds: number;
  readonly #times: number[] = [];
  /** What went wrong in the reads and the publishes. */
  readonly problems: string[] = [];
  #lastId = 0;
  #isOver = false;

  constructor(server: Binary, seconds: number) {
    this.#server = server;
    this.#seconds = seconds;
  }

  /** Resolves with the samples after the seconds; calls `onSample` with each. */
  async run(onSample: (sample: Sample) => void): Promise<Sample[]> {
    const samples: Sample[] = [];
    const probing = this.#probe();
    const sampleMs = Math.max(MIN_SAMPLE_MS, (this.#seconds * 1000) / MAX_SAMPLES);
    for (const endMs = performance.now() + this.#seconds * 1000; performance.now() < endMs; ) {
      const [startMs, firstId] = [performance.now(), this.#lastId];
      await Bun.sleep(sampleMs);
      await this.#read(samples.length % BACKUP_SAMPLES === 0);
      const sample = this.#sample(((this.#lastId - firstId) * 1000) / (performance.now() - startMs));
      samples.push(sample);
      onSample(sample);
    }
    this.#isOver = true;
    await probing;
    return samples;
  }

  /** Publishes one event after the other, now and then. */
  async #probe(): Promise<void> {
    while (!this.#isOver) {
      const startMs = performance.now();
      try {
        this.#lastId = (await publish(this.#server.url, "probe", `probe ${startMs}`)).id;
        this.#times.push(performance.now() - startMs);
      } catch (error) {
        this.problems.push(`a publish after ${Math.round(performance.now() - startMs)} ms: ${error}`);
      }
      await Bun.sleep(PROBE_MS);
    }
  }

  async #read(withBackup: boolean): Promise<void> {
    const paths = [...READS.map((query) => `/api/events/${query}`), ...OTHER_READS];
    for (const path of withBackup ? [...paths, "/api/backup"] : paths) {
      try {
        const response = await fetch(this.#server.url + path);
        await response.arrayBuffer();
        if (!response.ok) this.problems.push(`${path} returned ${response.status}`);
      } catch (error) {
        this.problems.push(`${path}: ${error}`);
      }
    }
  }

  #sample(eventsPerSecond: number): Sample {
    const { pid, folder } = this.#server;
    const mibOf = (name: string) => (statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0) / 2 ** 20;
    const times = this.#times.splice(0).sort((a, b) => a - b);
    return {
      mib: residentMib(pid),
      descriptors: readdirSync(`/proc/${pid}/fd`).length,
      walMib: mibOf("a.db-wal"),
      fileMib: mibOf("a.db"),
      eventsPerSecond,
      medianMs: times[Math.floor(times.length / 2)] ?? 0,
      longestMs: times.at(-1) ?? 0,
    };
  }
}
