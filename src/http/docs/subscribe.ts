import { answerFrames, caughtUp, clientFrames, gap, orderEvent, toLines } from "./examples.ts";
import { content, contentOfMany, schemaRef } from "./openapi.ts";
import type { RouteDocs } from "./route.ts";

/** The promise to every subscriber. */
export const PROMISE = `\
A subscriber receives every matching event once, in id order, from its start on, however slowly it reads. Only events
that retention removed before they were read are missing, and a \`gap\` reports them in their place. Without \`since\`
and \`last\` it starts with the next event published; with one of them it receives a \`caught_up\` when the replay has
caught up.`;

const subscribeErrors: RouteDocs["errors"] = [
  "pattern_invalid",
  "parameter_invalid",
  "parameter_unknown",
  "too_many_connections",
];

export const subscribeDocs: RouteDocs = {
  operationId: "subscribe",
  tag: "Subscribe",
  summary: "Subscribe by WebSocket",
  description: `\
\`\`\`sh
websocat 'ws://127.0.0.1:9800/api/events/subscribe?pattern=orders.*&since=10m'
\`\`\`

${PROMISE}

The server sends text frames: each is an event, or a message with a \`type\`, as under 101 below. The client may also
send frames of up to 1 MiB, which \`/asyncapi.json\` describes. Each gets its response in order, with its \`ref\`, a string
or a number:

\`\`\`json
${toLines(Object.values(clientFrames))}\`\`\`

The server closes with 1012 when it stops (connect again, with \`since=\` the last id), 1009 when a frame is too large and
1013 when too many frames are waiting for a response. An invalid request is rejected before the upgrade, with a problem.`,
  answers: {
    101: {
      description: "Upgraded. Frames follow, each of one of these kinds:",
      content: contentOfMany(
        "application/json",
        { oneOf: ["Event", "Gap", "CaughtUp", "Ack", "Published", "Pong", "ErrorFrame"].map(schemaRef) },
        {
          "an event": orderEvent,
          "events that retention removed": gap,
          "the replay has caught up": caughtUp,
          "the response to a publish": answerFrames.published,
          "the response to a subscribe": answerFrames.done,
          "the response to a ping": answerFrames.pong,
          "the response to an invalid frame": answerFrames.error,
        },
      ),
    },
  },
  errors: [...subscribeErrors, "upgrade_required"],
};

export const streamDocs: RouteDocs = {
  operationId: "stream",
  tag: "Subscribe",
  summary: "Subscribe by server-sent events or NDJSON",
  description: `\
For \`EventSource\` in browsers, and for every client that can read an endless response.

\`\`\`sh
curl -N 'http://127.0.0.1:9800/api/events/stream?pattern=orders.*&last=10'
\`\`\`

${PROMISE}

An \`EventSource\` that loses its connection resumes by itself: it sends the header \`Last-Event-ID\`, which takes
precedence over \`last_event_id\`, which takes precedence over \`since\` and \`last\`. As \`since\`, an id above the newest
one is rejected. As an id to resume from, it gets a \`gap\` with a \`next\` that is not above its \`after\`, and delivery
continues from there: the history is a different one, for example restored from a backup. With
\`Accept: application/x-ndjson\` the stream has one JSON text per line. A comment, or an empty line, is sent every 15 s. A
server that stops sends \`bye\`.`,
  parameters: [
    {
      name: "Last-Event-ID",
      in: "header",
      description: "The id of the last event received. `EventSource` sends it by itself.",
      schema: { type: "integer", format: "int64", minimum: 0, maximum: Number.MAX_SAFE_INTEGER },
    },
  ],
  answers: {
    200: {
      description: "Events as they are published, without end.",
      content: {
        ...content(
          "text/event-stream",
          { type: "string", description: "Server-sent events; the data of each unnamed one is an `Event` as JSON." },
          `${sent("gap", gap)}id: 251\ndata: ${JSON.stringify({ ...orderEvent, id: 251 })}\n\n${sent("caught_up", { ...caughtUp, id: 251 })}`,
        ),
        ...content(
          "application/x-ndjson",
          { type: "string", description: "An `Event`, a `Gap` or a `CaughtUp` as JSON on each line." },
          toLines([gap, { ...orderEvent, id: 251 }, { ...caughtUp, id: 251 }]),
        ),
      },
    },
  },
  errors: subscribeErrors,
};

function sent(name: string, message: object): string {
  return `event: ${name}\ndata: ${JSON.stringify(message)}\n\n`;
}
