import type { Principal } from "../../bus/access/principal.ts";
import { within } from "../../bus/access/scope.ts";
import type { Bus } from "../../bus/bus.ts";
import type { BehindAt } from "../../bus/delivery/behind.ts";
import type { Groups } from "../../bus/delivery/groups.ts";
import { BusError } from "../../bus/errors.ts";
import { parsePattern } from "../../bus/patterns/pattern.ts";
import { PatternSet } from "../../bus/patterns/pattern-set.ts";
import type { Start } from "../../bus/start.ts";
import type { Gate } from "../access/gate.ts";
import { type SubscriberLimits, tooManyPatterns } from "../limits/subscriber-limits.ts";
import { prefersLines } from "../request/accept.ts";
import { integer, MAX_ID, patternParameter, Query, type ValuesOf } from "../request/query.ts";
import { lastParameter, sinceParameter, startOf } from "../request/start.ts";
import { DATA_HEADERS } from "../response/answer.ts";
import { EventStream } from "./event-stream.ts";
import { StreamChannel } from "./stream-channel.ts";
import { jsonLines, type StreamFormat, serverSentEvents } from "./stream-format.ts";

export const STREAM_PATH = "/api/events/stream";

const eventId = integer(0, MAX_ID, "The id of the last event received; takes precedence over `since` and `last`.");

export const streamQuery = new Query({
  pattern: patternParameter(),
  since: sinceParameter,
  last: lastParameter,
  last_event_id: eventId,
  lastEventId: integer(0, MAX_ID, "The same as `last_event_id`, under the name that polyfills of `EventSource` send."),
});

/** The edge for server-sent events and JSON lines: the connected subscribers. */
export class Streams {
  readonly #bus: Bus;
  readonly #limits: SubscriberLimits;
  readonly #gate: Gate;
  readonly #addressOf: (request: Request) => string | undefined;
  readonly #groups: Readonly<Record<"lines" | "events", Groups<EventStream>>>;
  readonly #streams = new Set<EventStream>();
  #isClosed = false;

  /** `addressOf` returns the client's address; undefined when it is unknown. */
  constructor(
    bus: Bus,
    limits: SubscriberLimits,
    gate: Gate,
    addressOf: (request: Request) => string | undefined = () => undefined,
  ) {
    this.#bus = bus;
    this.#addressOf = addressOf;
    this.#gate = gate;
    this.#limits = limits;
    this.#groups = { lines: this.#openGroups(jsonLines), events: this.#openGroups(serverSentEvents) };
  }

  get size(): number {
    return this.#streams.size;
  }

  /** Number of subscribers that are live, and that replay from the history. */
  get states(): { live: number; replay: number } {
    let live = 0;
    for (const stream of this.#streams) if (stream.isLive) live++;
    return { live, replay: this.#streams.size - live };
  }

  /** Every subscriber that is connected. */
  get all(): Iterable<EventStream> {
    return this.#streams;
  }

  /** The members that are behind, by position. */
  *behind(): Iterable<BehindAt> {
    for (const groups of Object.values(this.#groups)) yield* groups.behind();
  }

  /** Ends every stream, after its waiting output, and accepts no more. */
  close(): void {
    this.#isClosed = true;
    for (const stream of this.#streams) stream.end();
  }

  #openGroups(format: StreamFormat): Groups<EventStream> {
    return this.#bus.openGroups<EventStream>({
      transport: "stream",
      replays: this.#limits.spareTime.replays,
      openChannel: () => new StreamChannel(format),
    });
  }

  /** Opens a stream of the events that the query requests. Throws if the query is invalid. */
  open(request: Request, caller: Principal, query: ValuesOf<typeof streamQuery>): Response {
    const { pattern, since, last, last_event_id, lastEventId } = query;
    if (pattern.length > this.#limits.maxPatterns) throw tooManyPatterns(this.#limits.maxPatterns);
    if (this.#isClosed) throw new BusError("shutting_down", "the server is shutting down: connect again in a moment");
    const start = resumeOf(request, last_event_id[0] ?? lastEventId[0]) ?? startOf(since, last, this.#bus.highestId);
    const scope = caller.subscribe;
    const patterns = pattern.length === 0 ? [parsePattern("*")] : pattern;
    const topics = within(scope, new PatternSet(patterns));
    const format = prefersLines(request, "text/event-stream") ? jsonLines : serverSentEvents;
    for (const { text } of pattern) this.#limits.onPattern?.(text);
    this.#limits.slots.take();
    const stream = new EventStream({
      groups: format === jsonLines ? this.#groups.lines : this.#groups.events,
      principal: caller,
      address: this.#addressOf(request),
      patterns: patterns.map(({ text }) => text),
      subscription: { topics, scope: scope.isEverything ? undefined : scope, start },
      format,
      tuning: this.#bus.tuning,
      waiting: this.#limits.waiting,
      onClose: (one) => {
        this.#gate.guests.delete(caller, one);
        if (this.#streams.delete(one)) this.#limits.slots.free();
      },
    });
    this.#streams.add(stream);
    this.#gate.guests.add(caller, stream);
    return new Response(stream.body, {
      // X-Accel-Buffering: otherwise nginx buffers events until its buffer is full.
      headers: { "Content-Type": format.contentType, ...DATA_HEADERS, "X-Accel-Buffering": "no" },
    });
  }
}

/** Where a returning client resumes: the header of an `EventSource` takes precedence over the query. */
function resumeOf(request: Request, inQuery: number | undefined): Start | undefined {
  const header = request.headers.get("last-event-id");
  if (header === null || header === "") return inQuery === undefined ? undefined : { kind: "after", id: inQuery };
  try {
    return { kind: "after", id: eventId.parse(header) };
  } catch (error) {
    throw new BusError("parameter_invalid", "the Last-Event-ID header must be an event id", {
      cause: error,
      members: { parameter: "Last-Event-ID" },
    });
  }
}
