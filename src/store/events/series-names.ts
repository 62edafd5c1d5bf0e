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

  /** The topic's text as a series here has it, or a copy: a slice would keep the whole text that it was cut from. */
  sharedTopic(topic: Topic): Topic {
    const ofTopic = this.#byTopic.get(topic);
    const known = ofTopic instanceof Map ? ofTopic.values().next().value : ofTopic;
    return known?.topic ?? structuredClone(topic);
  }

  /** The same for a source. */
  sharedSource(source: string): string {
    const known = this.#sources.get(source);
    if (known !== undefined) return known;
    if (this.#sources.size >= MAX_SHARED_SOURCES) this.#sources.clear();
    const copy = structuredClone(source);
    this.#sources.set(copy, copy);
    return copy;
  }

  add(series: Series): void {
    const ofTopic = this.#byTopic.get(series.topic);
    if (ofTopic instanceof Map) {
      ofTopic.set(series.source, series);
      return;
    }
    const listed = allListed(ofTopic).filter(({ source }) => source !== series.source);
    this.#put([...listed, series]);
  }

  remove(series: Series): void {
    const ofTopic = this.#byTopic.get(series.topic);
    if (this.find(series.topic, series.source) !== series) return;
    if (ofTopic instanceof Map) ofTopic.delete(series.source);
    const left = ofTopic instanceof Map ? ofTopic.size : this.#put(allListed(ofTopic).filter((one) => one !== series));
    if (left === 0) this.#byTopic.delete(series.topic);
  }

  /** Makes these the series of their topic; returns how many there are. */
  #put(listed: readonly Series[]): number {
    for (const [index, series] of listed.entries()) series.nextOfTopic = listed[index + 1];
    const [first] = listed;
    if (first === undefined) return 0;
    const isLong = listed.length > MAX_LISTED;
    this.#byTopic.set(first.topic, isLong ? new Map(listed.map((series) => [series.source, series])) : first);
    return listed.length;
  }
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
