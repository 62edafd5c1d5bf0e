import type { Topic } from "../../bus/topic.ts";
import type { Series } from "./series.ts";

/** Up to this many series of one topic are searched one by one; more of them get a map. */
const MAX_LISTED = 8;
/** Sources with shared texts; with more, the shared texts are forgotten, and sharing begins again. */
const MAX_SHARED_SOURCES = 1024;

/**
 * Series by topic and source.
 *
 * With hundreds of thousands of them, the cost of a look-up is that of the places in memory that it touches. So a topic
 * is stored once, its series are linked, and series share the texts of their names.
 */
export class SeriesNames {
  readonly #byTopic = new Map<string, Series | Map<string, Series>>();
  readonly #sources = new Map<string, string>();

  find(topic: string, source: string): Series | undefined {
    const ofTopic = this.#byTopic.get(topic);
    return ofTopic instanceof Map ? ofTopic.get(source) : findListed(ofTopic, source);
  }

  /** The topic's text as a series here has it; the given one if there is none. */
  sharedTopic(topic: Topic): Topic {
    const ofTopic = this.#byTopic.get(topic);
    const known = ofTopic instanceof Map ? ofTopic.values().next().value : ofTopic;
    return known?.topic ?? topic;
  }

  /** The source's text as other series have it, or a copy: a slice would keep the whole text that it was cut from. */
  sharedSource(source: string): string {
    const known = this.#sources.get(source);
    if (known !== undefined) return known;
    if (this.#sources.size >= MAX_SHARED_SOURCES) this.#sources.clear();
    const copy = structuredClone(source);
    this.#sources.set(copy, copy);
    return copy;
  }

  /** Takes the place of one with the same name, if there is one. */
  add(series: Series): void {
    const known = this.find(series.topic, series.source);
    if (known) this.remove(known);
    const ofTopic = this.#byTopic.get(series.topic);
    if (ofTopic instanceof Map) ofTopic.set(series.source, series);
    else if (allListed(ofTopic).length < MAX_LISTED) {
      series.nextOfTopic = ofTopic;
      this.#byTopic.set(series.topic, series);
    } else this.#byTopic.set(series.topic, mapOf([...allListed(ofTopic), series]));
  }

  remove(series: Series): void {
    const { topic, source, nextOfTopic } = series;
    if (this.find(topic, source) !== series) return;
    series.nextOfTopic = undefined;
    const ofTopic = this.#byTopic.get(topic);
    if (ofTopic instanceof Map) {
      ofTopic.delete(source);
      if (ofTopic.size === 0) this.#byTopic.delete(topic);
    } else if (ofTopic !== series) {
      const before = allListed(ofTopic).find((one) => one.nextOfTopic === series);
      if (before) before.nextOfTopic = nextOfTopic;
    } else if (nextOfTopic) this.#byTopic.set(topic, nextOfTopic);
    else this.#byTopic.delete(topic);
  }
}

function mapOf(listed: readonly Series[]): Map<string, Series> {
  for (const series of listed) series.nextOfTopic = undefined;
  return new Map(listed.map((series) => [series.source, series]));
}

function findListed(first: Series | undefined, source: string): Series | undefined {
  let series = first;
  while (series !== undefined && series.source !== source) series = series.nextOfTopic;
  return series;
}

function allListed(first: Series | undefined): Series[] {
  const listed: Series[] = [];
  for (let series = first; series !== undefined; series = series.nextOfTopic) listed.push(series);
  return listed;
}
