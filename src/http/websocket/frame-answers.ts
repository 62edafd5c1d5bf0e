/** The sink for responses. */
export interface AnswerSocket {
  /** Whether the peer has taken most of what was sent to it. */
  hasRoom(): boolean;
  /** Sends them in as few writes as possible; does nothing when the peer is gone. */
  send(texts: readonly string[]): void;
}

/** Sent between two looks at whether the peer has room. A group of small publishes is acknowledged at once. */
const MAX_CHARACTERS_AT_ONCE = 64 * 1024;

interface Slot {
  /** Undefined until the answer is known. */
  text: string | undefined;
  readonly frameBytes: number;
}

/**
 * The responses to the frames of one client, sent in the order of the frames, whatever order they become available in,
 * and only as fast as the peer reads them. Those that one turn brings go out together: a group commit acknowledges
 * hundreds, and a write for each would cost more than all the rest of a publish.
 */
export class FrameAnswers {
  readonly #socket: AnswerSocket;
  /** In the order of their frames. */
  #slots: Slot[] = [];
  #frames = 0;
  #bytes = 0;
  #isScheduled = false;
  #onEmpty: () => void = () => {};

  constructor(socket: AnswerSocket) {
    this.#socket = socket;
  }

  /** Frames whose answers are still to be sent. */
  get frames(): number {
    return this.#frames;
  }

  /** Bytes of these frames. */
  get bytes(): number {
    return this.#bytes;
  }

  /** A frame of so many bytes has come; `add` follows in the order of the frames. */
  expect(frameBytes: number): void {
    this.#frames++;
    this.#bytes += frameBytes;
  }

  /** Sends the answer to the next frame, when it is known and all earlier ones are sent. It must not reject. */
  add(answer: string | Promise<string>, frameBytes: number): void {
    const slot: Slot = { text: typeof answer === "string" ? answer : undefined, frameBytes };
    this.#slots.push(slot);
    if (typeof answer === "string") this.#schedule();
    else void answer.then((text) => this.#fill(slot, text));
  }

  /** Goes on after the socket had no room, or is gone. */
  resume(): void {
    this.#schedule();
  }

  /** Resolves when every frame that has come is answered. */
  whenEmpty(): Promise<void> {
    return new Promise((resolve) => {
      this.#onEmpty = resolve;
      if (this.#frames === 0) resolve();
    });
  }

  #fill(slot: Slot, text: string): void {
    slot.text = text;
    this.#schedule();
  }

  /** What else is known in this turn was queued before this microtask. */
  #schedule(): void {
    if (this.#isScheduled || this.#slots[0]?.text === undefined) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      while (this.#slots[0]?.text !== undefined && this.#socket.hasRoom()) this.#sendSome();
      if (this.#frames === 0) this.#onEmpty();
    });
  }

  #sendSome(): void {
    const texts: string[] = [];
    let characters = 0;
    for (const { text, frameBytes } of this.#slots) {
      if (text === undefined || characters >= MAX_CHARACTERS_AT_ONCE) break;
      texts.push(text);
      characters += text.length;
      this.#frames--;
      this.#bytes -= frameBytes;
    }
    this.#slots = this.#slots.slice(texts.length);
    this.#socket.send(texts);
  }
}
