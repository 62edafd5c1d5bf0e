import { SeriesName } from "../../bus/event.ts";
import type { Topic } from "../../bus/topic.ts";

/** The newest event of a series has not been read since the series came into memory. */
export const UNKNOWN = -2;

/** A topic and a source that events share, and the end of their chain. */
export class Series extends SeriesName {
  readonly id: number;
  /** Damage has changed its name, so it is unknown which readers may get its events. */
  readonly isDamaged: boolean;
  /** The depth of its newest event; -1 if there is none. `Chains` maintains this and the next four. */
  depth = UNKNOWN;
  /** The `skip` of its newest event. */
  skip = 0;
  /** The `skip` of that event; `UNKNOWN` until it is needed. */
  skipOfSkip = UNKNOWN;
  /** The `skip` of that one. */
  thirdSkip = UNKNOWN;
  /** The `skip` of that one. */
  fourthSkip = UNKNOWN;
  /** The next series in memory with the same topic; `SeriesNames` maintains it. */
  nextOfTopic: Series | undefined = undefined;
  /** Used since the cache last examined it. */
  isUsed = false;

  constructor(id: number, topic: Topic, source: string, isDamaged = false) {
    super(topic, source);
    this.id = id;
    this.isDamaged = isDamaged;
  }
}
