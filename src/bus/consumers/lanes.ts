import type { DeliveredGap } from "../../protocol/consumer.ts";
import type { Event } from "../event.ts";
import { PatternSet } from "../patterns/pattern-set.ts";
import type { EventLog } from "../ports.ts";
import { makeTask, type Task } from "./task.ts";

/**
 * Events that wait for their lanes, in all lanes together, at about 50 bytes each; any more are read again. With a
 * thousand topics and almost as many deliveries out, some thousands wait.
 */
const MAX_PARKED = 20_000;
/** The same for one lane, so that a topic that is stuck, or has most of the events, leaves room for the others. */
const MAX_PARKED_IN_LANE = 256;
/** Characters of JSON that are kept with them; the JSON of the others is read when their turn comes. */
const MAX_HELD_CHARACTERS = 4 * 1024 * 1024;
/** Events of one lane that are read at a time: a search for a rare topic costs as much as some of these. */
const PAGE_EVENTS = 64;

/** What waits in a lane: an event or a gap that was not begun, or a task that is tried again. */
type LaneItem = { readonly id: number } & (
  | { readonly event: Event | undefined }
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
 * The topics that have an event out, or waiting for another attempt. The events that follow are remembered; if
 * there are too many of them, they are searched for again in the history.
 */
export class Lanes {
  readonly #log: EventLog;
  readonly #lanes = new Map<string, Lane>();
  #parked = 0;
  #heldCharacters = 0;

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
    if (this.#parked >= MAX_PARKED || lane.waiting.length >= MAX_PARKED_IN_LANE) lane.isBehind = true;
    else this.#parkEvent(lane, event);
  }

  /** A task waits until its lane is free. Returns false if it is free now: then the lane is opened for it. */
  queue(task: Task, position: number): boolean {
    const lane = this.#lanes.get(task.lane);
    if (lane) lane.waiting.unshift({ id: task.id, task });
    else this.open(task.lane, position, false);
    return lane !== undefined;
  }

  /**
   * The next task of a lane after its last one was settled; `upTo` is the id that the consumer has passed. `"end"` if
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
    this.#heldCharacters = 0;
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
    this.#parked--;
    this.#heldCharacters -= item.event?.json.length ?? 0;
    return makeTask({ id: item.id, lane: topic, laneFrom: item.id, event: item.event });
  }

  #read(lane: Lane, upTo: number): void {
    const floor = Math.min(this.#log.floor, upTo + 1);
    if (lane.position < floor - 1) {
      lane.waiting.push({ id: floor - 1, gap: { after: lane.position, next: floor } });
      lane.position = floor - 1;
    }
    const page = this.#log.read({ topics: PatternSet.parse([lane.topic]) }, lane.position, PAGE_EVENTS);
    const gaps = page.damaged.map((id) => ({ id, gap: { after: id - 1, next: id + 1 } }));
    const found = [...page.events, ...gaps].filter(({ id }) => id <= upTo);
    for (const one of found.sort((a, b) => a.id - b.id)) {
      if ("gap" in one) lane.waiting.push(one);
      else this.#parkEvent(lane, one);
    }
    lane.position = Math.max(lane.position, Math.min(page.end, upTo));
    lane.isBehind = !page.done && page.end < upTo;
  }

  #parkEvent(lane: Lane, event: Event): void {
    const isHeld = this.#heldCharacters < MAX_HELD_CHARACTERS;
    lane.waiting.push({ id: event.id, event: isHeld ? event : undefined });
    lane.position = event.id;
    this.#parked++;
    if (isHeld) this.#heldCharacters += event.json.length;
  }
}
