/** A clock that stands still until it is moved. */
export class FakeClock {
  /** Milliseconds since 1970: 2026-11-23T14:30:00.000Z. */
  nowMs = 1_795_444_200_000;

  /** What a log or a bus is given. */
  readonly read = (): number => this.nowMs;

  /** Moves on by this many milliseconds; back, if negative. */
  advance(byMs: number): void {
    this.nowMs += byMs;
  }
}
