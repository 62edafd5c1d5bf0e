import { swagger } from "@elysiajs/swagger";

const plain = (summary: string) => ({ parse: "none" as const, detail: { summary } });

export const publishDocs = plain("Publish an event, or many");
export const publishToDocs = plain("Publish data to the topic in the path");
export const historyDocs = plain("Ask the history");
export const eventDocs = plain("One event by its id");
export const pruneDocs = plain("Apply the retention rules now");
export const topicsDocs = plain("Every topic that history keeps");
export const statsDocs = plain("What the service has done and holds");
export const healthDocs = plain("Is the service alive?");
export const readyDocs = plain("Can the service take a publish?");
export const streamDocs = plain("Subscribe by server-sent events or JSON lines");
export const subscribeDocs = plain("Subscribe by WebSocket");

export function docsRoutes(version: string) {
  return swagger({ path: "/swagger", documentation: { info: { title: "eventbus", version } } });
}
