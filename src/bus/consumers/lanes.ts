import type { DeliveredGap } from "../../protocol/consumer.ts";
import type { Event } from "../event.ts";
import { PatternSet } from "../patterns/pattern-set.ts";
import type { EventLog } from "../ports.ts";
import { makeTask, type Task } from "./task.ts";

/** Events that wait in memory for their lanes, in all lanes together; the others are read again. */
const MAX_PARKED = 1000;
/** Characters of the JSON of these events. */
const MAX_PARKED_CHARACTERS = 1024 * 1024;
/** Events of one lane that are read at a time. */
const PAGE_EVENTS = 16;

/** What waits in a lane: an event or a gap that was not begun, or a task that is tried again. */
type LaneItem = { readonly id: number } & (
  | { readonly event: Event }
  | { readonly gap: DeliveredGap }
  | { readonly task: Task }
);

interface Lane {
  readonly topic: string;
  /** In order, after the tasks that are tried again. */
  readonly waiting: LaneItem[];
  /** Events of the topic up to this id are settled, out, or in `waiting`. */
  position: number;
  /** There may be events of the topic after `position` that the consumer has passed. */
  isBehind: boolean;
}

/**
 * The topics of which an event is out or waits for another attempt. The events that follow wait in memory; if there
 * are too many of them, they are read again from the history.
 */
export class Lanes {
  readonly #log: EventLog;
  readonly #lanes = new Map<string, Lane>();
  #parked = 0;
  #parkedCharacters = 0;

  constructor(log: EventLog) {
    this.#log = log;
  }

  has(topic: string): boolean {
    return this.#lanes.has(topic);
  }

  /** Opens a lane for its first event. `isBehind`: events after it were passed already. */
  open(topic: string, position: number, isBehind: boolean): void {
    this.#lanes.set(topic, { topic, waiting: [], position, isBehind });
  }

  /** An event whose lane is busy waits for it. */
  park(event: Event): void {
    const lane = this.#lanes.get(event.topic);
    if (lane === undefined || lane.isBehind) return;
    if (this.#isFull) lane.isBehind = true;
    else this.#add(lane, { id: event.id, event }, event.id);
  }

  /** A task waits until its lane is free. Returns false if it is free now: then the lane is opened for it. */
  queue(task: Task, position: number): boolean {
    const lane = this.#lanes.get(task.lane);
    if (lane) lane.waiting.unshift({ id: task.id, task });
    else this.open(task.lane, position, false);
    return lane !== undefined;
  }

  /**
   * The next task of a lane whose last one was settled, up to the id `upTo` that the consumer has passed. `"end"` if
   * there is none: the lane is closed. `"later"` if the search is not done: call again.
   */
  next(topic: string, upTo: number): Task | "end" | "later" {
    const lane = this.#lanes.get(topic);
    if (lane === undefined) return "end";
    if (lane.waiting.length === 0 && lane.isBehind) this.#read(lane, upTo);
    const item = lane.waiting.shift();
    if (item !== undefined) return this.#taskOf(lane, item);
    if (lane.isBehind) return "later";
    this.#lanes.delete(topic);
    return "end";
  }

  clear(): void {
    this.#lanes.clear();
    this.#parked = 0;
    this.#parkedCharacters = 0;
  }

  #taskOf(lane: Lane, item: LaneItem): Task {
    if ("task" in item) {
      const [next] = lane.waiting;
      const rest = next === undefined ? lane.position : next.id - 1;
      item.task.laneFrom = next !== undefined || lane.isBehind ? rest : 0;
      return item.task;
    }
    const { topic } = lane;
    if ("gap" in item) return makeTask({ id: item.gap.after + 1, gap: item.gap, lane: topic, laneFrom: item.id });
    this.#count(item.event, -1);
    return makeTask({ id: item.id, lane: topic, laneFrom: item.id, event: item.event });
  }

  get #isFull(): boolean {
    return this.#parked >= MAX_PARKED || this.#parkedCharacters >= MAX_PARKED_CHARACTERS;
  }

  #read(lane: Lane, upTo: number): void {
    const floor = Math.min(this.#log.floor, upTo + 1);
    if (lane.position < floor - 1) {
      this.#add(lane, { id: floor - 1, gap: { after: lane.position, next: floor } }, floor - 1);
    }
    const limit = this.#isFull ? 1 : PAGE_EVENTS;
    const page = this.#log.read({ topics: PatternSet.parse([lane.topic]) }, lane.position, limit);
    const found: LaneItem[] = [
      ...page.events.map((event) => ({ id: event.id, event })),
      ...page.damaged.map((id) => ({ id, gap: { after: id - 1, next: id + 1 } })),
    ].filter(({ id }) => id <= upTo);
    for (const item of found.sort((a, b) => a.id - b.id)) this.#add(lane, item, item.id);
    lane.position = Math.max(lane.position, Math.min(page.end, upTo));
    lane.isBehind = !page.done && page.end < upTo;
  }

  #add(lane: Lane, item: LaneItem, position: number): void {
    lane.waiting.push(item);
    lane.position = position;
    if ("event" in item) this.#count(item.event, 1);
  }

  #count({ json }: Event, sign: 1 | -1): void {
    this.#parked += sign;
    this.#parkedCharacters += sign * json.length;
  }
}
