import type { Bus, HistoryQuery } from "../../bus/bus.ts";
import { BusError } from "../../bus/errors.ts";
import { type Waiting, WaitingAccount } from "../limits/waiting.ts";
import { arrayBody, MAX_WHOLE_CHARACTERS, MIN_PIECE_CHARACTERS, PIECE_CHARACTERS, requireRoom } from "./array-body.ts";
import { pulledBody } from "./pulled-body.ts";

/** Maximum part of an array that is kept while it is sent; the events of a longer one are read again. */
const MAX_HELD_CHARACTERS = 256 * 1024;

/** A JSON response, and what its headers say about it. */
export interface ArrayAnswer {
  readonly body: string | ReadableStream<Uint8Array>;
  /** The last event of the response. */
  readonly lastId: number;
  /** There are events beyond the limit. */
  readonly hasMore: boolean;
  /** Ids of damaged events, ascending, which are therefore not in it. */
  readonly damaged: readonly number[];
}

/** Serves history queries, in pieces that are created only as fast as the client reads them. */
export class HistoryAnswers {
  readonly #bus: Bus;
  readonly #waiting: Waiting;

  constructor(bus: Bus, waiting: Waiting) {
    this.#bus = bus;
    this.#waiting = waiting;
  }

  /** One event per line. Throws `unavailable` if there is no room for one more response that may not be read. */
  lines(query: HistoryQuery): ReadableStream<Uint8Array> {
    requireRoom(this.#waiting);
    return pulledBody(pieces(this.#pages(query), asLines), this.#waiting);
  }

  /**
   * The events as one array; repeating a query with the same `before` returns the same. They are scanned first, because
   * the head of the response says what follows them; a long response is then read again while it is sent. Rejects with
   * `unavailable` if there is no room for a long response that may not be read, and if its client is gone.
   */
  async array(query: HistoryQuery, client: Client): Promise<ArrayAnswer> {
    const account = new WaitingAccount(this.#waiting);
    try {
      const found = await this.#look(query, client, account);
      found.damaged.sort((a, b) => a - b); // not by pages: where these end depends on the time that searches took
      return { ...found, body: found.texts ? arrayBody(found.texts, this.#waiting) : this.#again(query, found) };
    } finally {
      account.set(0);
    }
  }

  async #look(query: HistoryQuery, client: Client, account: WaitingAccount): Promise<Found> {
    let texts: string[] | undefined = [];
    const damaged: number[] = [];
    let [count, lastId, characters] = [0, 0, 0];
    // One more than requested, to see whether there is a next page.
    for await (const page of this.#pages({ ...query, limit: query.limit + 1 })) {
      if (count > 0) client.signal.throwIfAborted();
      damaged.push(...page.damaged);
      for (const event of page.events) {
        if (count === query.limit) return { count, lastId, hasMore: true, damaged, texts };
        count++;
        lastId = event.id;
        characters += event.json.length;
        texts?.push(event.json);
      }
      if (characters > this.#mayHold(account)) texts = undefined;
      account.set(texts === undefined ? 0 : characters);
    }
    return { count, lastId, hasMore: false, damaged, texts };
  }

  #mayHold({ bytes }: WaitingAccount): number {
    return Math.max(MAX_WHOLE_CHARACTERS, Math.min(MAX_HELD_CHARACTERS, bytes + this.#waiting.limitBytes));
  }

  #again(query: HistoryQuery, found: Found): ReadableStream<Uint8Array> {
    requireRoom(this.#waiting);
    return pulledBody(pieces(this.#foundPages(query, found), asArray), this.#waiting);
  }

  /**
   * The events that were found, if they are still kept. Newest first, the response ends before events that were pruned
   * while it is sent. Oldest first, these would be missing in the middle, so it throws.
   */
  async *#foundPages(query: HistoryQuery, { count, lastId }: Found): Pages {
    let missing = count;
    for await (const page of this.#pages({ ...upTo(query, lastId), limit: count })) {
      missing -= page.events.length;
      yield page;
    }
    if (missing > 0 && query.order === "oldest")
      throw new BusError("unavailable", `${missing} events were removed while the answer was sent`);
  }

  #pages(query: HistoryQuery): Pages {
    const pageCharacters = () => Math.max(MIN_PIECE_CHARACTERS, Math.min(PIECE_CHARACTERS, this.#waiting.limitBytes));
    return this.#bus.pages({ ...query, pageCharacters });
  }
}

/** The client that waits for a response: a `Request`. Its signal is only made when it is used. */
type Client = Pick<Request, "signal">;

type Pages = ReturnType<Bus["pages"]>;

/** The content of a response, known before it is sent. */
interface Found extends Omit<ArrayAnswer, "body" | "damaged"> {
  readonly count: number;
  readonly damaged: number[];
  /** The events as JSON; undefined if they are too large to be kept. */
  readonly texts: readonly string[] | undefined;
}

/** The same query, up to this event in its order. */
function upTo(query: HistoryQuery, lastId: number): HistoryQuery {
  return query.order === "newest" ? { ...query, after: lastId - 1 } : { ...query, before: lastId + 1 };
}

/** The text around the events in a stream of them. */
interface Surroundings {
  readonly beforeFirst: string;
  readonly beforeNext: string;
  readonly afterEach: string;
  readonly end: string;
}

const asLines: Surroundings = { beforeFirst: "", beforeNext: "", afterEach: "\n", end: "" };
const asArray: Surroundings = { beforeFirst: "[", beforeNext: ",", afterEach: "", end: "]" };

async function* pieces(pages: Pages, around: Surroundings): AsyncGenerator<string> {
  let before = around.beforeFirst;
  for await (const { events } of pages) {
    if (events.length === 0) continue;
    yield before + events.map((event) => event.json).join(around.afterEach + around.beforeNext) + around.afterEach;
    before = around.beforeNext;
  }
  if (around.end !== "") yield before === around.beforeFirst ? around.beforeFirst + around.end : around.end;
}
