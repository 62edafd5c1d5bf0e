/**
 * Frames of all clients that one turn of the loop begins, at two or three microseconds each. A publisher that waits
 * after every few hundred frames for the responses has fewer in flight.
 */
export const TURN_FRAMES = 500;
/**
 * How long one turn begins frames, in milliseconds: as long as these frames take. Others, such as a subscription to a
 * hard pattern, take a hundred times as long.
 */
export const FRAMES_TURN_MS = 2;
/**
 * Frames of one client before the next one has its turn: enough to keep switching cheap, and no client waits for long.
 */
const FRAMES_IN_A_ROW = 20;

interface Backlog<Frame> {
  readonly frames: Frame[];
  /** The first frame that was not begun. */
  next: number;
}

/**
 * Bounds the frames that one turn of the event loop begins, and the time that it takes, as a single read of a socket may bring tens of thousands.
 * The others wait for later turns, in which the clients are served one after another; the order of each client is kept.
 */
export class FrameTurns<Client, Frame> {
  readonly #begin: (client: Client, frame: Frame) => void;
  /** In the order in which they are served. None is empty. */
  readonly #backlogs = new Map<Client, Backlog<Frame>>();
  readonly #nowMs: () => number;
  #begunMs = 0;
  #begun = 0;
  /** The next turn is scheduled. */
  #isCounting = false;

  /**
   * `begin` MUST NOT throw, and MUST do nothing for a client that is gone. `nowMs` returns milliseconds since any
   * moment.
   */
  constructor(begin: (client: Client, frame: Frame) => void, nowMs: () => number = () => performance.now()) {
    this.#begin = begin;
    this.#nowMs = nowMs;
  }

  /** Begins the frame at once if the turn has room for it and no earlier frame of its client is waiting. */
  receive(client: Client, frame: Frame): void {
    const backlog = this.#backlogs.get(client);
    if (backlog !== undefined) backlog.frames.push(frame);
    else if (this.#hasRoom()) this.#beginOne(client, frame);
    else this.#backlogs.set(client, { frames: [frame], next: 0 });
    if (!this.#isCounting) this.#schedule();
  }

  #schedule(): void {
    this.#isCounting = true;
    setImmediate(() => this.#turn());
  }

  #turn(): void {
    this.#isCounting = false;
    this.#begun = 0;
    for (const [client, backlog] of this.#backlogs) {
      if (!this.#hasRoom()) break;
      this.#serve(client, backlog);
    }
    if (this.#begun > 0) this.#schedule();
  }

  /**
   * Begins at least one frame. The rest of the backlog is put after those of all others, so the iteration reaches it
   * again.
   */
  #serve(client: Client, backlog: Backlog<Frame>): void {
    const { frames } = backlog;
    this.#backlogs.delete(client);
    let count = 0;
    for (const frame of frames.slice(backlog.next, backlog.next + FRAMES_IN_A_ROW)) {
      if (count > 0 && !this.#hasRoom()) break;
      this.#beginOne(client, frame);
      count++;
    }
    backlog.next += count;
    if (backlog.next < frames.length) this.#backlogs.set(client, backlog);
  }

  #hasRoom(): boolean {
    if (this.#begun === 0) return true;
    return this.#begun < TURN_FRAMES && this.#nowMs() - this.#begunMs < FRAMES_TURN_MS;
  }

  #beginOne(client: Client, frame: Frame): void {
    if (this.#begun === 0) this.#begunMs = this.#nowMs();
    this.#begun++;
    this.#begin(client, frame);
  }
}
