import { SeriesName } from "../../bus/event.ts";
import type { Topic } from "../../bus/topic.ts";

/** The newest event of a series has not been looked at since the series came into memory. */
export const UNKNOWN = -2;

/** A topic and a source that events share. */
export class Series extends SeriesName {
  readonly id: number;
  /** Its name is not what it was, so it is unknown which readers its events are for. */
  readonly isDamaged: boolean;
  /** The depth of its newest event; -1 when there is none. This and the next three are kept by `Chains`. */
  depth = UNKNOWN;
  /** What its newest event names as `skip`. */
  skip = 0;
  /** What that event names as its own; `UNKNOWN` until it is needed. */
  skipOfSkip = UNKNOWN;
  /** And so on. */
  thirdSkip = UNKNOWN;
  /** Used since the cache last looked for something to drop. */
  isUsed = false;

  constructor(id: number, topic: Topic, source: string, isDamaged = false) {
    super(topic, source);
    this.id = id;
    this.isDamaged = isDamaged;
  }
}
