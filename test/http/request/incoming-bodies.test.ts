import { describe, expect, test } from "bun:test";
import { readBody } from "../../../src/http/request/body.ts";
import { IncomingBodies } from "../../../src/http/request/incoming-bodies.ts";
import { busRejectionOf } from "../../helpers/bus-error.ts";

const KIB = 1024;
/** Room for two bodies that are not small. */
const MAX_BYTES = 200 * KIB;
const LARGE_BYTES = 100 * KIB;

/** A request whose body arrives when the test says so. */
class Slow {
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly reading: Promise<Uint8Array>;

  constructor(incoming: IncomingBodies, announcedBytes?: number) {
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    this.#writer = writable.getWriter();
    const headers = announcedBytes === undefined ? {} : { "content-length": String(announcedBytes) };
    const request = new Request("http://a", { method: "POST", body: readable, headers });
    this.reading = Promise.resolve(readBody(request, 10 * LARGE_BYTES, incoming));
    this.reading.catch(() => {});
  }

  /** Resolves when the bytes have been read. */
  async send(bytes: number): Promise<void> {
    await this.#writer.write(new Uint8Array(bytes));
  }

  async end(): Promise<Uint8Array> {
    await this.#writer.close();
    return await this.reading;
  }

  async fail(): Promise<void> {
    await this.#writer.abort(new Error("the client has left"));
  }
}

describe("bodies that arrive slowly", () => {
  test("are rejected once they take all the room, and only the one that grows", async () => {
    const incoming = new IncomingBodies(MAX_BYTES);
    const held = [new Slow(incoming), new Slow(incoming)];
    for (const body of held) await body.send(LARGE_BYTES);
    const late = new Slow(incoming);
    void late.send(LARGE_BYTES);
    expect(await busRejectionOf(late.reading)).toMatchObject({ code: "unavailable", members: { limit: MAX_BYTES } });
    for (const body of held) expect((await body.end()).length).toBe(LARGE_BYTES);
  });

  test("give their room back when they are read, or their clients leave", async () => {
    const incoming = new IncomingBodies(MAX_BYTES);
    for (let round = 0; round < 5; round++) {
      const [read, left] = [new Slow(incoming), new Slow(incoming, LARGE_BYTES)];
      await read.send(LARGE_BYTES);
      await left.fail();
      await left.reading.catch(() => {});
      expect((await read.end()).length).toBe(LARGE_BYTES);
    }
  });

  test("never keep small ones out", async () => {
    const incoming = new IncomingBodies(MAX_BYTES);
    for (const body of [new Slow(incoming), new Slow(incoming)]) await body.send(LARGE_BYTES);
    for (const announcedBytes of [undefined, 64 * KIB]) {
      const small = new Slow(incoming, announcedBytes);
      void small.send(64 * KIB);
      expect((await small.end()).length).toBe(64 * KIB);
    }
  });

  test("find room for any size while they are alone", async () => {
    for (const announcedBytes of [undefined, 3 * LARGE_BYTES]) {
      const alone = new Slow(new IncomingBodies(MAX_BYTES), announcedBytes);
      void alone.send(3 * LARGE_BYTES);
      expect((await alone.end()).length).toBe(3 * LARGE_BYTES);
    }
  });

  test("keep no others out if they only announce much", async () => {
    const incoming = new IncomingBodies(MAX_BYTES);
    for (let count = 0; count < 10; count++) new Slow(incoming, LARGE_BYTES);
    const honest = new Slow(incoming, LARGE_BYTES);
    void honest.send(LARGE_BYTES);
    expect((await honest.end()).length).toBe(LARGE_BYTES);
  });
});
