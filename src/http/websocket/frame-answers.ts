/** The sink for responses. */
export interface AnswerSocket {
  /** Whether the peer has taken most of what was sent to it. */
  hasRoom(): boolean;
  /** Sends them in as few writes as possible; does nothing if the peer is gone. */
  send(texts: readonly string[]): void;
}

/** Characters sent between two checks for room. The acknowledgements of a group of small publishes go out at once. */
const MAX_CHARACTERS_AT_ONCE = 64 * 1024;

interface Slot {
  /** Undefined until the response is known. */
  text: string | undefined;
  readonly frameBytes: number;
}

/**
 * The responses to the frames of one client, sent in the order of the frames, whatever order they become available in,
 * and only as fast as the peer reads them. The responses of one turn are sent together: a group commit acknowledges
 * hundreds of frames, and a write for each would cost more than the rest of a publish.
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

  /** Frames with a response that is still to be sent. */
  get frames(): number {
    return this.#frames;
  }

  /** Bytes of these frames. */
  get bytes(): number {
    return this.#bytes;
  }

  /** A frame of this size has arrived; `add` follows in the order of the frames. */
  expect(frameBytes: number): void {
    this.#frames++;
    this.#bytes += frameBytes;
  }

  /**
   * Sends the response to the next frame, unless it is empty, once it is known and all earlier ones were sent. The
   * promise MUST NOT reject.
   */
  add(answer: string | Promise<string>, frameBytes: number): void {
    const slot: Slot = { text: typeof answer === "string" ? answer : undefined, frameBytes };
    this.#slots.push(slot);
    if (typeof answer === "string") this.#schedule();
    else void answer.then((text) => this.#fill(slot, text));
  }

  /** Continues after the socket had no room, or is gone. */
  resume(): void {
    this.#schedule();
  }

  /** Resolves when every frame that has arrived is answered. */
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

  /** Other responses of this turn are queued before this microtask. */
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
    let answered = 0;
    for (const { text, frameBytes } of this.#slots) {
      if (text === undefined || characters >= MAX_CHARACTERS_AT_ONCE) break;
      if (text !== "") texts.push(text);
      answered++;
      characters += text.length;
      this.#frames--;
      this.#bytes -= frameBytes;
    }
    this.#slots = this.#slots.slice(answered);
    if (texts.length > 0) this.#socket.send(texts);
  }
}
