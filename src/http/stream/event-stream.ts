import type { Principal } from "../../bus/access/principal.ts";
import type { Member } from "../../bus/delivery/cohort.ts";
import { Follower, type Standing, type Subscription } from "../../bus/delivery/follower.ts";
import type { Groups } from "../../bus/delivery/groups.ts";
import type { Tuning } from "../../bus/tuning.ts";
import type { ControlMessage } from "../../protocol/frames.ts";
import type { Guest } from "../access/guests.ts";
import { type Waiting, WaitingAccount } from "../limits/waiting.ts";
import type { Subscribed } from "../response/subscriber-list.ts";
import type { ChannelStream } from "./stream-channel.ts";
import { encodeItems, type StreamFormat } from "./stream-format.ts";

export interface EventStreamOptions extends Pick<Subscribed, "principal" | "address" | "patterns"> {
  readonly groups: Groups<EventStream>;
  readonly subscription: Subscription;
  readonly format: StreamFormat;
  readonly tuning: Tuning;
  readonly waiting: Waiting;
  readonly onClose: (stream: EventStream) => void;
}

/** The events that one body can publish, if they are small: a reader that gets fewer per turn would never catch up. */
const MAX_WINDOW_BYTES = 2 * 1024 * 1024;

/**
 * One subscriber by server-sent events or JSON lines. It is pulled: output that the client does not read is not made.
 */
export class EventStream implements Member, ChannelStream, Guest, Subscribed {
  readonly transport = "stream";
  readonly principal: Principal;
  readonly address: string | undefined;
  readonly patterns: readonly string[];
  /** When it connected, in milliseconds since 1970. */
  readonly connectedMs: number;
  readonly #format: StreamFormat;
  readonly #tuning: Tuning;
  readonly #waiting: Waiting;
  readonly #onClose: (stream: EventStream) => void;
  readonly #follower: Follower<EventStream>;
  readonly #account: WaitingAccount;
  readonly body: ReadableStream<Uint8Array>;
  #output: Uint8Array[] = [];
  /** Bytes of history that may be made before the client has read the previous ones. */
  #windowBytes: number;
  #wake: (() => void) | undefined;
  /** The newest id sent in a keep-alive. */
  #namedId: number | undefined;
  #isEnding = false;
  #isStarted = false;
  #isClosed = false;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;

  constructor(options: EventStreamOptions) {
    const { groups, principal, address, patterns, subscription, format, tuning, waiting, onClose } = options;
    this.principal = principal;
    this.address = address;
    this.patterns = patterns;
    this.connectedMs = groups.clock();
    this.#format = format;
    this.#tuning = tuning;
    this.#waiting = waiting;
    this.#onClose = onClose;
    this.#account = new WaitingAccount(waiting);
    this.#windowBytes = tuning.resumeBytes;
    this.#follower = new Follower(groups, this, subscription);
    // A high-water mark of 0: nothing more is made before the client has read everything.
    this.body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => this.#keep(controller),
        pull: (controller) => this.#pull(controller),
        cancel: () => this.#close(),
      },
      { highWaterMark: 0 },
    );
  }

  get isLive(): boolean {
    return this.#follower.isLive;
  }

  get standing(): Standing {
    return this.#follower.standing;
  }

  get waitingBytes(): number {
    return this.#account.bytes;
  }

  get hasRoom(): boolean {
    const { bytes } = this.#account;
    return bytes === 0 || bytes <= Math.min(this.#windowBytes, this.#waiting.limitBytes);
  }

  get isFull(): boolean {
    const most = Math.max(this.#tuning.maxWaitingBytes, this.#windowBytes);
    return this.#account.bytes > Math.min(most, this.#waiting.limitBytes);
  }

  push(bytes: Uint8Array): void {
    this.#output.push(bytes);
    this.#account.set(this.#account.bytes + bytes.length);
    this.#wakeUp();
  }

  tell(message: ControlMessage): void {
    this.push(encodeItems([message], this.#format));
  }

  /** Ends after the waiting output, with a notice that the server stops. */
  end(): void {
    this.#isEnding = true;
    this.#follower.close();
    this.#wakeUp();
  }

  /** Ends at once, without the waiting output, whether the client reads or not. */
  expel(): void {
    this.#close();
    try {
      this.#controller?.close();
    } catch {
      // The client has closed it.
    }
  }

  /** Nothing more will be sent. */
  get #isEnded(): boolean {
    return this.#isClosed || (this.#isEnding && this.#output.length === 0);
  }

  #keep(controller: ReadableStreamDefaultController<Uint8Array>): void {
    this.#controller = controller;
  }

  async #pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    // A pull that enqueues nothing is not repeated, so continue until there is something, or the end.
    let bytes = this.#start();
    while (bytes === undefined && !this.#isEnded) bytes = this.#takeOutput() ?? (await this.#sleep());
    if (this.#isClosed) return;
    if (bytes !== undefined) controller.enqueue(bytes);
    if (!this.#isEnded) return;
    if (this.#format.end !== "") controller.enqueue(encode(this.#format.end));
    controller.close();
    this.#close();
  }

  /** Headers are sent with the first bytes, so send some at once. */
  #start(): Uint8Array | undefined {
    if (this.#isStarted) return undefined;
    this.#isStarted = true;
    // The position before `begin` pushes anything, which is sent after these bytes.
    const { passed } = this.#follower;
    this.#follower.begin();
    return this.#keepAlive(this.#output.length > 0 ? passed : this.#follower.passed);
  }

  #takeOutput(): Uint8Array | undefined {
    if (this.#output.length === 0) return undefined;
    const bytes = this.#output.length === 1 ? this.#output[0] : Buffer.concat(this.#output);
    // The client has read a full window. As turns of the loop may be long, it gets more in each.
    if (!this.isLive && this.#account.bytes > this.#windowBytes) this.#windowBytes = this.#widened;
    this.#drop();
    this.#follower.wake();
    return bytes;
  }

  get #widened(): number {
    return Math.max(this.#windowBytes, Math.min(MAX_WINDOW_BYTES, this.#windowBytes * 2));
  }

  #drop(): void {
    this.#output = [];
    this.#account.set(0);
  }

  /** Waits for output, for the end, or for the next keep-alive. */
  async #sleep(): Promise<Uint8Array | undefined> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      timer = setTimeout(resolve, this.#tuning.keepAliveMs);
    });
    clearTimeout(timer);
    this.#wake = undefined;
    return this.#output.length > 0 || this.#isEnding ? this.#takeOutput() : this.#keepAlive(this.#follower.passed);
  }

  /** Names the newest id that the stream has passed, so that the client resumes there; the id never decreases. */
  #keepAlive(passed: number | undefined): Uint8Array {
    if (passed !== undefined) this.#namedId = Math.max(passed, this.#namedId ?? 0);
    return encode(this.#format.keepAlive(this.#namedId));
  }

  #wakeUp(): void {
    this.#wake?.();
  }

  #close(): void {
    this.#isClosed = true;
    this.#drop();
    this.#follower.close();
    this.#wakeUp();
    this.#onClose(this);
  }
}

function encode(text: string): Uint8Array {
  return encoder.encode(text);
}
const encoder = new TextEncoder();
