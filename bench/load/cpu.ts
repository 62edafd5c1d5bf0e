/** A stretch of time, and how busy this process was in it. */
export class Stretch {
  readonly #startMs = performance.now();
  readonly #startCpu = process.cpuUsage();

  get seconds(): number {
    return (performance.now() - this.#startMs) / 1000;
  }

  /** Processor time by time, from 0 to 1 for one core: near 1 the generator itself is the limit. */
  get busy(): number {
    const { user, system } = process.cpuUsage(this.#startCpu);
    return (user + system) / 1e6 / this.seconds;
  }
}
