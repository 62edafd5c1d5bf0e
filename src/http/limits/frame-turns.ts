/**
 * Frames of all clients that one turn of the loop begins, at two or three microseconds each. A publisher that waits
 * after every few hundred frames for the responses has fewer in flight.
 */
export const TURN_FRAMES = 500;
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
 * Bounds the frames that one turn of the event loop begins, as a single read of a socket may bring tens of thousands.
 * The others wait for later turns, in which the clients are served one after another; the order of each client is kept.
 */
export class FrameTurns<Client, Frame> {
  readonly #begin: (client: Client, frame: Frame) => void;
  /** In the order in which they are served. None is empty. */
  readonly #backlogs = new Map<Client, Backlog<Frame>>();
  #begun = 0;
  /** The next turn is scheduled. */
  #isCounting = false;

  /** `begin` MUST NOT throw, and MUST do nothing for a client that is gone. */
  constructor(begin: (client: Client, frame: Frame) => void) {
    this.#begin = begin;
  }

  /** Begins the frame at once if the turn has room for it and no earlier frame of its client is waiting. */
  receive(client: Client, frame: Frame): void {
    const backlog = this.#backlogs.get(client);
    if (backlog !== undefined) backlog.frames.push(frame);
    else if (this.#begun >= TURN_FRAMES) this.#backlogs.set(client, { frames: [frame], next: 0 });
    else this.#beginOne(client, frame);
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
      if (this.#begun >= TURN_FRAMES) break;
      this.#serve(client, backlog);
    }
    if (this.#begun > 0) this.#schedule();
  }

  /** The rest of the backlog is put after those of all others, so the iteration reaches it again. */
  #serve(client: Client, backlog: Backlog<Frame>): void {
    const { frames } = backlog;
    const end = Math.min(backlog.next + FRAMES_IN_A_ROW, frames.length);
    this.#backlogs.delete(client);
    for (const frame of frames.slice(backlog.next, end)) this.#beginOne(client, frame);
    backlog.next = end;
    if (end < frames.length) this.#backlogs.set(client, backlog);
  }

  #beginOne(client: Client, frame: Frame): void {
    this.#begun++;
    this.#begin(client, frame);
  }
}
